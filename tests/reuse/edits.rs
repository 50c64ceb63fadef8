//! Histories of one text: each version is the last one, edited.

use keywheel::rule::embedded_texts;
use keywheel::scan::check;
use std::path::Path;

pub(crate) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

const WORDS: &[&str] = &[
    "static",
    "struct",
    "int",
    "value",
    "buffer",
    "length",
    "client",
    "server",
    "return",
    "if",
    "while",
    "config",
    "option",
    "count",
    "index",
    "\"text of a message\"",
    "(void)",
    "0x1f",
    "->",
    "=",
    "==",
    "+",
    "/* a remark */",
    "// note",
    "password",
    "token",
    "key",
    "secret",
    "https://host.example/path",
    "user@host",
];

/// A line of code-like text.
fn line(random: &mut Random) -> Vec<u8> {
    let mut out = vec![b' '; random.below(3) * 4];
    for _ in 0..random.below(12) {
        out.extend(random.pick(WORDS).bytes());
        out.push(b' ');
    }
    out.extend(format!("{};\n", random.below(100_000)).bytes());
    out
}

/// The text that hides an example in one of the ways that are undone.
fn hidden(example: &[u8], random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => {
            let mut out = b"data: |\n".to_vec();
            let text = base64(&[example, b" and more text behind it, so that it goes on"].concat());
            for row in text.chunks(60) {
                out.extend_from_slice(b"  ");
                out.extend_from_slice(row);
                out.push(b'\n');
            }
            out
        }
        1 => {
            let mut out = b"x = ".to_vec();
            for piece in example.chunks(7) {
                out.push(b'"');
                out.extend(piece.iter().filter(|b| !matches!(b, b'"' | b'\\' | b'\n')));
                out.extend_from_slice(b"\" +\n    ");
            }
            out.extend_from_slice(b"\"\"\n");
            out
        }
        _ => [example, b"\n"].concat(),
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for three in bytes.chunks(3) {
        let mut n = [0u8; 4];
        n[1..=three.len()].copy_from_slice(three);
        let n = u32::from_be_bytes(n);
        for i in 0..4 {
            let letter = LETTERS[(n >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= three.len() { letter } else { b'=' });
        }
    }
    out
}

/// The versions of one text: keys appear, are cut in two by an insertion and made whole again by a
/// deletion, are parted from their context and brought back, copied and moved.
pub(crate) fn history(seed: u64, examples: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut random = Random(seed);
    let mut text: Vec<u8> = (0..200 + random.below(800)).flat_map(|_| line(&mut random)).collect();
    let mut versions = vec![text.clone()];
    // What was inserted where, to be taken out again.
    let mut wedges: Vec<Vec<u8>> = Vec::new();
    for _ in 0..14 {
        for _ in 0..1 + random.below(3) {
            let at = random.below(text.len());
            let start = text[..at].iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
            match random.below(9) {
                0 | 1 => {
                    let example = random.pick(examples).clone();
                    let more = hidden(&example, &mut random);
                    text.splice(start..start, more);
                }
                // An example that an insertion has cut in two, and something that can be taken out.
                2 => {
                    let example = random.pick(examples).clone();
                    let middle = random.below(example.len());
                    let wedge = match random.below(3) {
                        0 => b"@@".to_vec(),
                        1 => (0..40).flat_map(|_| line(&mut random)).collect(),
                        _ => (0..150).flat_map(|_| line(&mut random)).collect(),
                    };
                    let whole = [&example[..middle], &wedge, &example[middle..], b"\n"].concat();
                    text.splice(start..start, whole);
                    wedges.push(wedge);
                }
                3 | 4 => {
                    if let Some(wedge) = wedges.pop()
                        && let Some(at) = text.windows(wedge.len()).position(|w| w == wedge)
                    {
                        text.drain(at..at + wedge.len());
                    }
                }
                5 => {
                    let more: Vec<u8> = (0..1 + random.below(20)).flat_map(|_| line(&mut random)).collect();
                    text.splice(start..start, more);
                }
                6 => {
                    let end = (at + random.below(600)).min(text.len());
                    text.drain(at..end);
                }
                7 => {
                    let end = (start + random.below(4000)).min(text.len());
                    let block: Vec<u8> = text.drain(start..end).collect();
                    let to = random.below(text.len());
                    text.splice(to..to, block);
                }
                _ => {
                    let letters = b"aZ0 \n\"=_-:/";
                    text[at] = *random.pick(letters);
                }
            }
            if text.len() < 100 {
                text.extend(line(&mut random));
            }
        }
        versions.push(text.clone());
    }
    // The same text twice has the same name.
    versions.sort();
    versions.dedup();
    versions
}

pub(crate) fn examples() -> Vec<Vec<u8>> {
    let of = |(name, text): &(&str, &str)| check::examples(Path::new(name), text).unwrap();
    embedded_texts().iter().flat_map(of).map(|(_, e)| e.text).collect()
}
