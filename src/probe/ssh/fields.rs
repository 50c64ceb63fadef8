//! The types of SSH's messages (RFC 4251, section 5).

use zeroize::Zeroizing;

/// What is left to read of a message. Whatever does not fit is `None`.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Fields(bytes)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// So many bytes without a length before them.
    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.bytes::<1>().map(|[b]| b)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        self.byte().map(|b| b != 0)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    /// Bytes with their length before them.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        self.take(usize::try_from(len).ok()?)
    }

    /// The names of a list.
    pub(super) fn names(&mut self) -> Option<Vec<&'a str>> {
        let text = std::str::from_utf8(self.text()?).ok().filter(|t| t.is_ascii())?;
        Some(text.split(',').filter(|name| !name.is_empty()).collect())
    }

    /// A number of any length that is not negative, without zeros before it.
    pub(super) fn integer(&mut self) -> Option<&'a [u8]> {
        let bytes = self.text()?;
        let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
        (!negative).then(|| bare(bytes))
    }

    /// What is left.
    #[cfg(test)]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }
}

fn bare(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    &bytes[zeros..]
}

/// A message in the making. Wiped, since a shared secret goes through one.
#[derive(Clone, Default)]
pub(super) struct Message(Zeroizing<Vec<u8>>);

impl Message {
    /// Begins with the message's number.
    pub(super) fn new(number: u8) -> Self {
        Message::default().byte(number)
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn byte(self, byte: u8) -> Self {
        self.raw(&[byte])
    }

    pub(super) fn number(self, number: u32) -> Self {
        self.raw(&number.to_be_bytes())
    }

    /// Bytes with their length before them. None of ours is anywhere near 4 GiB.
    pub(super) fn text(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.number(bytes.len() as u32).raw(bytes)
    }

    pub(super) fn names(self, names: &[&str]) -> Self {
        self.text(names.join(","))
    }

    /// A number of any length that is not negative.
    pub(super) fn integer(self, bytes: &[u8]) -> Self {
        let bytes = bare(bytes);
        // A bit at the very front would be read as a sign.
        let sign: &[u8] = if bytes.first().is_some_and(|b| b & 0x80 != 0) { &[0] } else { &[] };
        self.number((bytes.len() + sign.len()) as u32).raw(sign).raw(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let message = Message::new(9).number(7).text("abc").names(&["x", "y"]).integer(&[0, 0, 0x80, 1]);
        let mut fields = Fields::new(message.as_bytes());
        assert_eq!((fields.byte(), fields.number()), (Some(9), Some(7)));
        assert_eq!((fields.text(), fields.names()), (Some(&b"abc"[..]), Some(vec!["x", "y"])));
        assert_eq!(fields.rest(), [0, 0, 0, 3, 0, 0x80, 1]);
        assert_eq!(fields.integer(), Some(&[0x80, 1][..]));
        assert!(fields.rest().is_empty());
    }

    /// The examples of RFC 4251.
    #[test]
    fn integers_are_those_of_the_standard() {
        for (value, expected) in [
            (&[][..], &[0, 0, 0, 0][..]),
            (&[0x80], &[0, 0, 0, 2, 0, 0x80]),
            (
                &[0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7],
                &[0, 0, 0, 8, 0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7],
            ),
        ] {
            assert_eq!(Message::default().integer(value).as_bytes(), expected);
            assert_eq!(Fields::new(expected).integer(), Some(value));
        }
        assert_eq!(Fields::new(&[0, 0, 0, 2, 0xed, 0xcc]).integer(), None);
    }

    #[test]
    fn lengths_beyond_the_end_are_no_fields() {
        for bytes in [&[][..], &[0, 0], &[0, 0, 0, 1], &[0xff, 0xff, 0xff, 0xff, 1]] {
            let mut fields = Fields::new(bytes);
            assert_eq!(fields.text(), None);
            assert_eq!(Fields::new(bytes).names(), None);
        }
    }
}
