//! The header block and the pax records that override it.

/// Bytes of a block.
pub(super) const BLOCK: usize = 512;

/// Bytes behind `size` bytes of content up to the next block.
pub(super) fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// Whether `head` begins a tar: by the `ustar` mark, or by the checksum that older ones have too.
pub(in super::super) fn is_tar(head: &[u8]) -> bool {
    let Some(block) = head.first_chunk::<BLOCK>() else { return false };
    &block[257..262] == b"ustar" || (block[0] != 0 && checksum_holds(block))
}

/// What a header block says.
pub(super) struct Header {
    /// The name, with the prefix that ustar keeps apart.
    pub(super) name: Vec<u8>,
    /// Bytes of content.
    pub(super) size: u64,
    /// The type flag.
    pub(super) kind: u8,
    /// The block, for the fields of sparse members.
    pub(super) block: [u8; BLOCK],
}

impl Header {
    /// Reads a block; `None` if its checksum or its size is wrong.
    pub(super) fn parse(block: &[u8; BLOCK]) -> Option<Header> {
        if !checksum_holds(block) {
            return None;
        }
        let mut name = until_nul(&block[..100]).to_vec();
        let prefix = until_nul(&block[345..500]);
        // GNU writes `ustar  ` and uses the place of the prefix for other things.
        if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        Some(Header { name, size: number(&block[124..136])?, kind: block[156], block: *block })
    }

    /// Bytes of content and padding.
    pub(super) fn padded(&self) -> u64 {
        self.size.saturating_add(padding(self.size))
    }
}

/// The field up to its first NUL.
pub(super) fn until_nul(field: &[u8]) -> &[u8] {
    &field[..memchr::memchr(0, field).unwrap_or(field.len())]
}

/// A number: octal digits between spaces and NULs, or base 256 behind a set high bit.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    if let [first @ 0x80..=0xbf, rest @ ..] = field {
        return rest.iter().try_fold(u64::from(first & 0x3f), |n, &b| {
            n.checked_mul(256).map(|n| n | u64::from(b)).filter(|n| *n <= i64::MAX as u64)
        });
    }
    let digits = until_nul(field.trim_ascii_start()).trim_ascii();
    digits.iter().try_fold(0u64, |n, &b| match b {
        b'0'..=b'7' => n.checked_mul(8).map(|n| n + u64::from(b - b'0')),
        _ => None,
    })
}

fn checksum_holds(block: &[u8; BLOCK]) -> bool {
    let field = &block[148..156];
    if !field.iter().all(|b| matches!(b, b'0'..=b'7' | b' ' | 0)) || !field.iter().any(u8::is_ascii_digit) {
        return false;
    }
    let Some(stated) = number(field) else { return false };
    let spaces = 8 * u64::from(b' ');
    let sum = |value: fn(u8) -> i64| {
        block[..148].iter().chain(&block[156..]).map(|b| value(*b)).sum::<i64>() + spaces as i64
    };
    // Some old writers summed signed characters.
    sum(i64::from) == stated as i64 || sum(|b| i64::from(b as i8)) == stated as i64
}

/// What pax records and long-name members say about the next member.
#[derive(Clone, Default)]
pub(super) struct Pax {
    /// Its name.
    pub(super) name: Option<Vec<u8>>,
    /// Bytes of content as stored.
    pub(super) size: Option<u64>,
    /// Its sparse map stands in front of its content (GNU 1.0).
    pub(super) map_ahead: bool,
    /// Its sparse map, `offset,length,…` (GNU 0.1).
    pub(super) map: Option<Vec<u64>>,
    /// Bytes with the holes.
    pub(super) real_size: Option<u64>,
}

impl Pax {
    /// Reads records, `LENGTH KEY=VALUE\n`; stops at the first that does not parse.
    pub(super) fn records(&mut self, mut bytes: &[u8]) {
        let mut sparse_name = None;
        while let Some(space) = memchr::memchr(b' ', bytes) {
            let Some(len) = decimal(&bytes[..space]).and_then(|n| usize::try_from(n).ok()) else { break };
            let Some(record) = bytes.get(space + 1..len) else { break };
            let Some(equals) = memchr::memchr(b'=', record) else { break };
            let value = record[equals + 1..].strip_suffix(b"\n").unwrap_or(&record[equals + 1..]);
            match &record[..equals] {
                b"path" => self.name = Some(value.to_vec()),
                b"size" => self.size = decimal(value),
                b"GNU.sparse.name" => sparse_name = Some(value.to_vec()),
                b"GNU.sparse.major" => self.map_ahead = value == b"1",
                b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.real_size = decimal(value),
                b"GNU.sparse.map" => self.map = value.split(|b| *b == b',').map(decimal).collect(),
                b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                    self.map.get_or_insert_default().extend(decimal(value));
                }
                _ => {}
            }
            bytes = &bytes[len..];
        }
        // The plain path of a sparse member names a folder that no one made.
        if sparse_name.is_some() {
            self.name = sparse_name;
        }
    }

    /// These records, and for what they leave open those that hold for the whole archive.
    pub(super) fn over(self, global: &Pax) -> Pax {
        Pax { name: self.name.or_else(|| global.name.clone()), size: self.size.or(global.size), ..self }
    }
}

/// A decimal number and nothing else.
pub(in super::super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text.iter().try_fold(0u64, |n, b| n.checked_mul(10)?.checked_add(u64::from(b - b'0')))
}
