//! Buffers of noise with the rules' own examples in them.

use keywheel::rule::embedded_texts;
use keywheel::scan::check;
use std::path::Path;

struct Random(u64);

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

    fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

const C_LIKE: &[&str] = &[
    "static int ",
    "struct ",
    "key",
    "_id",
    " = ",
    "0x1f",
    "(void)",
    ";\n",
    "{\n\t",
    "}\n",
    "return ",
    "/* token */ ",
    "secret_",
    "-> ",
    "&buf[",
    "]",
    "\"password\"",
    "api_key",
    ", ",
    "#define ",
    "// ",
];
const MINIFIED: &[&str] = &[
    "function(e,t){",
    "return ",
    "e.",
    "t.",
    "key",
    "=",
    "\"",
    "'",
    "a1",
    "()",
    "&&",
    "!",
    ";",
    ",",
    "token:",
    "auth",
    "https://",
    "0",
    "}",
    "window.",
    "Bearer ",
    "%20",
    "\\u0041",
    "sk-",
    "id:\"",
];

/// Text of one of four sorts.
fn noise(sort: usize, len: usize, random: &mut Random) -> Vec<u8> {
    const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_==\n";
    let mut out = Vec::with_capacity(len + 16);
    while out.len() < len {
        match sort {
            0 => out.extend_from_slice(random.pick(C_LIKE).as_bytes()),
            1 => out.push(BASE64[random.below(BASE64.len())]),
            2 => out.extend_from_slice(random.pick(MINIFIED).as_bytes()),
            _ => out.push(random.next() as u8),
        }
    }
    out.truncate(len);
    out
}

/// Buffer number `n`: noise with examples in it, some at its very ends, some damaged, its length a
/// little under, at or over a block's edge. As many buffers as there are examples hold each of them
/// whole.
pub(crate) fn buffer(n: usize, examples: &[Vec<u8>]) -> Vec<u8> {
    let mut random = Random(n as u64);
    let sort = random.below(4);
    let mut out = Vec::new();
    for i in 0..1 + random.below(3) {
        let mut text =
            examples[if i == 0 { n % examples.len() } else { random.below(examples.len()) }].clone();
        let whole = i == 0 && n < examples.len();
        match random.below(12) {
            _ if whole => {}
            0 => text.truncate(random.below(text.len() + 1)),
            1 => text.make_ascii_uppercase(),
            _ => {}
        }
        let gap = random.below(3) * random.below(160);
        out.extend(noise(sort, gap, &mut random));
        let (open, close) =
            *random.pick(&[&("", ""), &("\n", "\n"), &(" ", " "), &("\"", "\","), &("\0", "\0")]);
        out.extend_from_slice(open.as_bytes());
        out.extend(text);
        out.extend_from_slice(close.as_bytes());
    }
    // What is added at the front moves all that follows against the blocks.
    let edge = (out.len() / 64 + 1 + random.below(3)) * 64 + random.below(5) - 2;
    let missing = edge.saturating_sub(out.len());
    let front = if random.below(4) == 0 { missing } else { random.below(missing + 1) };
    let mut whole = noise(sort, front, &mut random);
    whole.extend(out);
    let tail = noise(sort, missing - front, &mut random);
    whole.extend(tail);
    whole
}

pub(crate) fn examples() -> Vec<Vec<u8>> {
    let of = |(name, text): &(&str, &str)| check::examples(Path::new(name), text).unwrap();
    embedded_texts().iter().flat_map(of).map(|(_, e)| e.text).collect()
}
