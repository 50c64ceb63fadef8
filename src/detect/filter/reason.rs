//! The reasons for which a candidate is dropped.

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident, $word:literal, $sentence:literal;)+) => {
        /// Why a candidate is no secret.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $variant),+ }
        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant),+];
            /// The word used in reports.
            pub fn as_str(self) -> &'static str { match self { $(Reason::$variant => $word),+ } }
            /// What `--explain` says.
            pub fn sentence(self) -> &'static str { match self { $(Reason::$variant => $sentence),+ } }
        }
    };
}

reasons! {
    /// Too short to be what it looks like.
    Length, "length", "it is too short to be a whole one";
    /// A piece of a longer value.
    Slice, "slice", "it is a piece of a longer value: the next character belongs to it too";
    /// A documented sample.
    Sample, "sample", "it is a sample from documentation";
    /// The inner structure is not that of the kind.
    Structure, "structure", "its inside does not have the structure of this kind";
    /// A proved checksum fails.
    ChecksumFails, "checksum-fails", "its checksum is wrong, so it was altered or made up";
    /// A reference to a value that stands elsewhere.
    Template, "template", "it is a template or a reference to a secret that is kept elsewhere";
    /// A stand-in for a value.
    Placeholder, "placeholder", "it is a placeholder";
    /// Runs, sequences and repetitions.
    LowVariety, "low-variety", "it repeats itself or counts up, which a random value does not";
    /// Less random than a fair value.
    Entropy, "entropy", "it is less random than 99 of 100 genuine values of its alphabet and length";
    /// An expression, a name or a type.
    CodeNotLiteral, "code", "it is a name or an expression, not a literal value";
    /// A checksum, commit or other id.
    HashOrId, "hash-or-id", "it is a hash or an id by the name before it";
    /// An attribute of a secret.
    Attribute, "attribute", "the name before it is that of an attribute, such as a length or a URL";
    /// A path or a URL.
    Path, "path", "it is a path, a URL or a part of one";
    /// Encrypted: safe to publish without its key.
    Encrypted, "encrypted", "it is encrypted";
    /// A one-way hash of a password.
    PasswordHash, "password-hash", "it is the hash of a password";
    /// The public half of a key pair.
    PublicKey, "public-key", "it is a public key or a certificate";
    /// Words of a human language.
    Prose, "prose", "it is ordinary text";
    /// One of a list of texts.
    Listed, "list", "it is one of a list of texts, not the value of the one before it";
    /// Text of a user interface in some language.
    Translation, "translation", "it is a text of a translation file";
    /// A lock file, bundle or other generated file.
    GeneratedFile, "generated-file", "unnamed secrets are not looked for in generated files";
    /// Allowed by a text rule's own lists.
    Allowed, "allowed", "an allow list of its rule covers it";
    /// Bytes that are no text.
    Binary, "binary", "it stands among bytes that are no text";
}

#[cfg(test)]
mod tests {
    use super::Reason;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_distinct() {
        let words: BTreeSet<_> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
