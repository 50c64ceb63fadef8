//! Whether decoded bytes read as text, judged as they come.

/// A byte that stands in ordinary ASCII text.
pub(super) const fn printable(b: u8) -> bool {
    matches!(b, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

/// What a stray byte costs; a good one pays back 1. At a score of 0 at least 6 of 7 bytes have
/// been good (86 %), so the share needs no second look.
const COST: u32 = 6;

/// Above this the text has ended: three stray bytes close together, or a longer bad patch.
const LIMIT: u32 = 16;

/// A text that has not been clean for this long has ended too: what is thrown away stays short.
const PATIENCE: usize = 64;

/// Follows a text and remembers how much of it is plausible. UTF-8 counts as text.
#[derive(Default)]
pub(super) struct Judge {
    score: u32,
    /// Continuation bytes that the current character still lacks.
    lacking: u8,
    seen: usize,
    good: usize,
    last_good: Mark,
    clean: Mark,
}

/// A place: decoded bytes so far, and where their encoding ends.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    pub(super) len: usize,
    pub(super) end: usize,
}

impl Judge {
    /// Takes the next byte, whose encoding ends at `end`. False once the text has ended.
    pub(super) fn feed(&mut self, b: u8, end: usize) -> bool {
        self.seen += 1;
        let continues = b & 0xc0 == 0x80;
        let good = if continues {
            let expected = self.lacking > 0;
            self.lacking = self.lacking.saturating_sub(1);
            expected
        } else {
            if self.lacking > 0 {
                self.score += COST;
            }
            self.lacking = match b {
                0xc2..=0xdf => 1,
                0xe0..=0xef => 2,
                0xf0..=0xf4 => 3,
                _ => 0,
            };
            printable(b) || self.lacking > 0
        };
        let here = Mark { len: self.seen, end };
        if good {
            self.good += 1;
            self.score = self.score.saturating_sub(1);
            self.last_good = here;
        } else {
            self.score += COST;
        }
        if self.score == 0 {
            self.clean = here;
        }
        self.score <= LIMIT && self.seen - self.clean.len <= PATIENCE
    }

    /// Up to where the text is plausible; `whole` says that nothing followed the last byte fed.
    pub(super) fn kept(&self, whole: bool) -> Mark {
        let stray = self.last_good.len.saturating_sub(self.good);
        if whole && self.score <= LIMIT && stray * COST as usize <= self.good {
            self.last_good
        } else {
            self.clean
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(bytes: &[u8]) -> usize {
        let mut judge = Judge::default();
        let whole = bytes.iter().enumerate().all(|(i, &b)| judge.feed(b, i + 1));
        judge.kept(whole).len
    }

    #[test]
    fn text_ends_where_noise_begins() {
        assert_eq!(kept(b"plain text, all of it\n"), 22);
        assert_eq!(kept("déjà vu, ключ, 鍵".as_bytes()), "déjà vu, ключ, 鍵".len());
        assert_eq!(kept(b"sixteen letters.\x00\x01\x02\x03and more"), 16);
        assert_eq!(kept(b"one \x01 stray byte stays, here"), 28);
        assert_eq!(kept(b"a tail of noise goes\x01\x02"), 20);
        assert_eq!(kept(b"\x00\x9f\x81text"), 0);
        assert_eq!(kept(b""), 0);
    }
}
