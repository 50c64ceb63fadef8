//! What is measured of a candidate: whole numbers, so that every platform gives the same.

macro_rules! features {
    ($($name:ident $sentence:literal,)+) => {
        /// One thing that is measured.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Feature {
            $(#[doc = $sentence] $name,)+
        }

        impl Feature {
            /// All of them, in the order of the vector.
            pub const ALL: &'static [Feature] = &[$(Feature::$name,)+];

            /// The name in the model's table.
            pub fn as_str(self) -> &'static str {
                match self { $(Feature::$name => stringify!($name),)+ }
            }

            /// What it measures, in words.
            pub fn sentence(self) -> &'static str {
                match self { $(Feature::$name => $sentence,)+ }
            }
        }
    };
}

features! {
    // The value.
    Length "length of the value",
    Lower "share of small letters in the value",
    Upper "share of capitals in the value",
    Digits "share of digits in the value",
    Signs "share of signs in the value",
    SignKinds "kinds of signs in the value",
    PasswordSigns "signs in the value that people put into passwords",
    CodeSigns "brackets and other signs of code in the value",
    NonAscii "bytes of the value that are not ASCII",
    Spaces "spaces in the value",
    Dashes "dashes in the value",
    Underscores "underscores in the value",
    Dots "dots in the value",
    Slashes "slashes in the value",
    Colons "colons in the value",
    Distinct "different characters in the value for its length",
    Entropy "randomness of the value for its length",
    Changes "changes between letters, capitals and digits in the value",
    CamelHumps "places in the value where a word begins with a capital",
    DigitRuns "groups of digits in the value",
    DigitsAtEnd "digits at the end of the value",
    FirstClass "first character of the value",
    LastClass "last character of the value",
    LongestAlnum "longest row of letters and digits in the value",
    LongestLetters "longest row of letters in the value",
    LongestRepeat "longest repetition of one character in the value",
    LongestSequence "longest sequence such as abc or 321 in the value",
    LongestKeyboard "longest row of neighbouring keys in the value",
    Hex "whether the value is hexadecimal",
    Uuid "whether the value is a UUID",
    Padded "whether the value ends in =",
    Base64Set "whether the value keeps to a base64 alphabet",
    Letters "how much the value's letters read like words and names",
    WorstLetters "how little the least readable letters of the value read like words",
    Spoken "share of the value that reads like words",
    Words "readable words in the value",
    Placeholder "share of the value covered by words of placeholders",
    NameInValue "share of the value that repeats its name",
    // The name.
    NameLength "length of the name",
    NameWords "words in the name",
    NamePassword "whether the name speaks of a password",
    NameSecret "whether the name speaks of a secret",
    NameToken "whether the name speaks of a token",
    NameKey "whether the name speaks of a key",
    NameAuth "whether the name speaks of authentication",
    NameStrong "whether the name is one that only secrets bear, such as api_key",
    NameLast "whether the last word of the name is that of a secret",
    NameAttribute "whether the last word of the name is that of an attribute",
    NamePublic "words in the name for what is public or made for one use",
    NameOther "words in the name that speak against a secret",
    NameTest "words in the name that speak of tests and samples",
    NamePlural "whether the name is a plural",
    NameCapitals "whether the name is in capitals",
    NameDotted "dots, dashes and slashes in the name",
    NameAfter "words of the name after that of the secret",
    NameBefore "words of the name before that of the secret",
    // The line.
    NameOpens "character before the name",
    Form "form of the assignment",
    Quote "quotes around the value",
    Operator "mark between name and value",
    OperatorLength "characters between name and value",
    NextByte "character after the value",
    RestOfLine "characters after the value on its line",
    Before "characters before the name on its line",
    LineWords "words in the line outside of name and value",
    LineQuotes "quotes in the line",
    LineCalls "calls in the line",
    Comment "whether the line is a comment",
    LineBreak "whether the value stands on another line than the name",
    Lookup "whether the line looks something up or shows a text",
    // What stands around.
    NearLogin "words around that go with a login: user, host, port",
    NearSecret "other names of secrets around",
    NearTest "words around that speak of tests and samples",
    NearHash "words around that speak of hashes and vectors",
    NearText "words around that speak of a user interface",
    NearGrammar "words around that speak of parsers and grammars",
    NearHex "long hexadecimal values around",
    NearLong "long values around that look drawn",
    NearAlike "lines around that begin like this one",
    // The file.
    File "kind of file",
    FileLanguage "language of the file",
    FileTest "whether the path speaks of tests",
    FileExample "whether the path speaks of examples and documentation",
    FileSettings "whether the path speaks of settings and secrets",
    FileHidden "whether the file is hidden or has no extension",
    // What the other filters say.
    SaysPlaceholder "the filter of placeholders",
    SaysPath "the filter of paths",
    SaysName "the filter of names",
    SaysCode "the filter of code",
    SaysProse "the filter of prose",
    SaysHash "the filter of hashes",
    SaysEntropy "the entropy floor",
}

/// How many there are.
pub(super) const COUNT: usize = Feature::ALL.len();

impl Feature {
    /// Whether it is measured on the path, which a first look at a history does not know.
    pub(super) fn is_of_file(self) -> bool {
        self >= Feature::File && self <= Feature::FileHidden
    }

    /// Whether it is what another filter says.
    pub(super) fn is_said(self) -> bool {
        self >= Feature::SaysPlaceholder
    }
}

/// A candidate's measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features(pub(super) [i16; COUNT]);

impl Features {
    pub(super) fn new() -> Self {
        Features([0; COUNT])
    }

    pub(super) fn set(&mut self, feature: Feature, value: usize) {
        self.0[feature as usize] = i16::try_from(value).unwrap_or(i16::MAX);
    }

    pub(super) fn flag(&mut self, feature: Feature, holds: bool) {
        self.set(feature, usize::from(holds));
    }

    /// One of them.
    pub fn get(&self, feature: Feature) -> i16 {
        self.0[feature as usize]
    }

    /// All of them, in the order of [`Feature::ALL`].
    pub fn values(&self) -> &[i16] {
        &self.0
    }
}
