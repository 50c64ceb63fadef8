//! Sets of literals that are looked up by three of their bytes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Bytes of a window.
pub(super) const WIDTH: usize = 4;

/// A window of folded text (each byte `| 0x20`); the last byte is `None` for a literal of three.
pub(super) type Window = [Option<u8>; WIDTH];

/// Sets of eight buckets.
pub(super) const BANKS: usize = 2;

/// Nibble tables of buckets: a window may be wanted only if some bucket allows all of its
/// nibbles. After Teddy, by way of Hyperscan. They hold a letter in either case.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    pub(super) banks: [Bank; BANKS],
}

/// The tables of eight buckets: a bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bank {
    pub(super) low: [[u8; 16]; WIDTH],
    pub(super) high: [[u8; 16]; WIDTH],
}

/// Rounds of moving; more gain nothing.
const MOVES: usize = 3;

impl Windows {
    /// Tables for the given windows. Each goes into the bucket that it widens least.
    pub(super) fn new(windows: &[Window]) -> Self {
        let mut sorted = windows.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        // Put each where it lets the least more text pass, then move each again, now that all are
        // known.
        let mut buckets: [Bucket; 8 * BANKS] = std::array::from_fn(|_| Bucket::default());
        let place = |buckets: &mut [Bucket; 8 * BANKS], w: Window| {
            let rises = buckets.each_ref().map(|b| b.rise(w));
            let best = (0..8 * BANKS).min_by(|&a, &b| rises[a].total_cmp(&rises[b])).unwrap_or(0);
            buckets[best].add(w);
            best
        };
        let mut homes: Vec<usize> = sorted.iter().map(|&w| place(&mut buckets, w)).collect();
        for _ in 0..MOVES {
            for (home, &w) in homes.iter_mut().zip(&sorted) {
                buckets[*home].remove(w);
                *home = place(&mut buckets, w);
            }
        }
        let sets = buckets.map(|b| b.sets);
        let mut out = Windows { banks: [Bank::default(); BANKS] };
        for (bucket, positions) in sets.iter().enumerate() {
            let bank = &mut out.banks[bucket / 8];
            for (k, [low, high]) in positions.iter().enumerate() {
                for n in 0..16 {
                    bank.low[k][n] |= ((low >> n & 1) as u8) << (bucket % 8);
                    // Folding sets bit 5 of a byte, which is bit 1 of its high nibble.
                    bank.high[k][n] |= ((high >> (n | 2) & 1) as u8) << (bucket % 8);
                }
            }
        }
        out
    }
}

/// For each position the sets of low and high nibbles that windows allow, one bit each.
type Nibbles = [[u16; 2]; WIDTH];

/// Windows that share tables, and how much text those let pass.
#[derive(Default)]
struct Bucket {
    windows: Vec<Window>,
    sets: Nibbles,
    /// By position the share of source text, as a sum of weights.
    shares: [f64; WIDTH],
}

impl Bucket {
    /// How much more text passes with another window.
    fn rise(&self, w: Window) -> f64 {
        let mut shares = self.shares;
        for (k, share) in shares.iter_mut().enumerate() {
            let set = widened(self.sets[k], w[k]);
            if set != self.sets[k] {
                *share = passing(set);
            }
        }
        let all = |shares: [f64; WIDTH]| shares.into_iter().product::<f64>();
        all(shares) - all(self.shares)
    }

    fn add(&mut self, w: Window) {
        self.windows.push(w);
        self.allow(w);
    }

    fn remove(&mut self, w: Window) {
        self.windows.retain(|x| *x != w);
        (self.sets, self.shares) = Default::default();
        for i in 0..self.windows.len() {
            self.allow(self.windows[i]);
        }
    }

    fn allow(&mut self, w: Window) {
        for (k, b) in w.into_iter().enumerate() {
            let set = widened(self.sets[k], b);
            if set != self.sets[k] {
                (self.sets[k], self.shares[k]) = (set, passing(set));
            }
        }
    }
}

fn widened(set: [u16; 2], byte: Option<u8>) -> [u16; 2] {
    match byte {
        Some(b) => [set[0] | 1 << (b & 15), set[1] | 1 << (b >> 4)],
        None => [u16::MAX; 2],
    }
}

/// The share of source text, as a sum of weights, that these nibbles let pass.
fn passing([low, high]: [u16; 2]) -> f64 {
    if low == u16::MAX && high == u16::MAX {
        return 1.0;
    }
    let rows = ROWS.iter().enumerate().filter(|(h, _)| high >> h & 1 == 1);
    let sum: u32 = rows.map(|(_, row)| row[0][usize::from(low & 0xff)] + row[1][usize::from(low >> 8)]).sum();
    f64::from(sum) / 10_000.0
}

/// By high nibble and half, the weight of each set of eight low nibbles: every start of the program asks for
/// hundreds of thousands of sums.
static ROWS: [[[u32; 256]; 2]; 16] = {
    let mut rows = [[[0; 256]; 2]; 16];
    let mut at = 0;
    while at < 16 * 2 * 256 {
        let (h, half, set) = (at >> 9, at >> 8 & 1, at & 255);
        let mut bit = 0;
        while bit < 8 {
            if set >> bit & 1 == 1 {
                rows[h][half][set] += WEIGHTS[h << 4 | half << 3 | bit];
            }
            bit += 1;
        }
        at += 1;
    }
    rows
};

/// The set of the first bytes of literals, up to four and folded, by a hash: it settles nearly every
/// place that a mask lets pass, without a branch that the processor would guess wrong.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    /// Of literals of three bytes.
    three: Box<Bits>,
    /// Of longer ones.
    four: Box<Bits>,
}

impl Heads {
    /// The heads of literals of at least three bytes.
    pub(super) fn new<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut heads = Heads { three: no_heads(), four: no_heads() };
        for text in texts {
            match text.get(3) {
                Some(&b) => put(&mut heads.four, head(key(text) | u32::from(b) << 24 | FOLD)),
                None => put(&mut heads.three, head(key(text) << 8 | FOLD)),
            }
        }
        heads
    }

    /// Whether a literal may stand at `at`.
    #[inline(always)]
    pub(super) fn may(&self, hay: &[u8], at: usize) -> bool {
        let rest = hay.get(at..).unwrap_or_default();
        let four = match rest.first_chunk() {
            Some(four) => u32::from_le_bytes(*four),
            None => rest.iter().rev().fold(0, |four, &b| four << 8 | u32::from(b)),
        };
        has(&self.four, head(four | FOLD)) | has(&self.three, head(four << 8 | FOLD))
    }
}

/// Makes letters small; of other bytes some become one.
pub(super) const FOLD: u32 = 0x2020_2020;

/// A bit for each hash.
pub(super) type Bits = [u64; 1 << 10];

/// No head at all.
pub(super) fn no_heads() -> Box<Bits> {
    Box::new([0; 1 << 10])
}

/// Adds a hash.
pub(super) fn put(set: &mut Bits, h: u16) {
    set[usize::from(h >> 6)] |= 1 << (h & 63);
}

/// Whether a hash is there.
#[inline(always)]
pub(super) fn has(set: &Bits, h: u16) -> bool {
    set[usize::from(h >> 6)] >> (h & 63) & 1 == 1
}

/// Sixteen bits of hash of folded bytes.
#[inline(always)]
pub(super) fn head(four: u32) -> u16 {
    (four.wrapping_mul(0x9e37_79b1) >> 16) as u16
}

/// Values keyed by some bytes.
#[derive(Clone, Debug)]
pub(super) struct Keyed<T> {
    heads: Box<[u16]>,
    entries: Vec<(u32, T)>,
}

const BITS: u32 = 12;

#[inline(always)]
fn slot(key: u32) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

/// The first three bytes of a slice as a key.
#[inline]
pub(super) fn key(b: &[u8]) -> u32 {
    u32::from(b[0]) | u32::from(b[1]) << 8 | u32::from(b[2]) << 16
}

/// The key of folded text.
#[inline]
pub(super) fn folded(b: &[u8]) -> u32 {
    key(b) | 0x0020_2020
}

impl<T> Keyed<T> {
    pub(super) fn new(mut entries: Vec<(u32, T)>) -> Self {
        entries.sort_by_key(|e| slot(e.0));
        let mut heads = vec![0u16; 1 << BITS].into_boxed_slice();
        for (i, e) in entries.iter().enumerate().rev() {
            heads[slot(e.0)] = u16::try_from(i + 1).expect("because there are fewer than 65,535 literals");
        }
        Keyed { heads, entries }
    }

    #[cfg(test)]
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|e| &e.1)
    }

    /// Every value under `key`.
    #[inline]
    pub(super) fn get(&self, key: u32) -> impl Iterator<Item = &T> {
        let s = slot(key);
        let head = self.heads[s];
        let from = if head == 0 { self.entries.len() } else { usize::from(head) - 1 };
        self.entries[from..]
            .iter()
            .take_while(move |e| slot(e.0) == s)
            .filter(move |e| e.0 == key)
            .map(|e| &e.1)
    }
}

/// The window of a literal at an offset.
pub(super) fn window(literal: &[u8], at: usize) -> Window {
    std::array::from_fn(|i| literal.get(at + i).map(|b| b | 0x20))
}

/// Chooses a window of each literal, few different ones and rare ones: each is a place that the sweep stops at, and
/// widens the tables of others. Returns the offset of the window for each literal.
pub(super) fn choose(literals: &[&[u8]]) -> Vec<usize> {
    let mut places: Vec<(Window, usize, usize)> = Vec::new();
    for (i, literal) in literals.iter().enumerate() {
        let last = literal.len().saturating_sub(WIDTH);
        places.extend((0..=last).map(|at| (window(literal, at), i, at)));
    }
    places.sort_unstable();
    // The cheapest for each literal that it serves goes first. What one serves only shrinks, so that an old figure
    // in the heap is never too high.
    let groups: Vec<_> = places.chunk_by(|a, b| a.0 == b.0).collect();
    let costs: Vec<u64> = groups.iter().map(|g| weight(&g[0].0).saturating_add(WIDENS)).collect();
    let mut offsets = vec![None; literals.len()];
    let serves = |group: &[(Window, usize, usize)], offsets: &[Option<usize>]| {
        group.iter().filter(|(_, i, _)| offsets[*i].is_none()).count() as u64
    };
    let each = |group: usize, served: u64| Reverse((costs[group] / served, group));
    let mut heap: BinaryHeap<_> = (0..groups.len()).map(|g| each(g, groups[g].len() as u64)).collect();
    while let Some(Reverse((cost, group))) = heap.pop() {
        let served = serves(groups[group], &offsets);
        if served == 0 {
            continue;
        }
        let now = each(group, served);
        if now.0.0 > cost {
            heap.push(now);
            continue;
        }
        for (_, i, at) in groups[group] {
            offsets[*i].get_or_insert(*at);
        }
    }
    offsets.into_iter().map(Option::unwrap_or_default).collect()
}

/// What another window costs besides the text that it lets pass itself, in the measure of [`weight`].
const WIDENS: u64 = 10_000_000_000_000;

/// Rough parts in ten thousand that folded bytes have in source text.
const WEIGHTS: [u32; 256] = {
    let mut t = [1; 256];
    let mut b = 0;
    while b < 256 {
        t[b] = match b as u8 {
            b' ' => 1500,
            b'e' | b't' => 650,
            b'a' | b'i' | b'n' | b'r' | b's' | b'o' => 480,
            b'c' | b'd' | b'l' | b'u' | b'p' => 280,
            b'f' | b'm' | b'g' | b'h' | b'b' => 180,
            0x7f => 400,
            b'0' | b'1' | b'2' => 150,
            b'y' | b'v' | b'k' | b'w' | b'x' => 90,
            b'3'..=b'9' => 60,
            // Control characters fold onto these: line feed, tab.
            b'*' | b')' => 300,
            b'-' | b'=' | b'.' | b'/' | b'"' | b',' | b';' | b'(' => 110,
            b'z' | b'j' | b'q' => 20,
            0x21..=0x7e => 30,
            _ => 1,
        };
        b += 1;
    }
    t
};

/// Three letters that are far more common together than apart, in source text of several languages.
const COMMON: &str = "abl ack act add age ail ali all alu ame and anf ang app ara ard are art ase ask ast ata ate ati \
    atu ave bas bit ble bon buf bus cal can car cas cha che chi clk clu cmd cnt cod com con cou cpu \
    cre cti ctr dat ddr def der des dev dis ead ect ena end ent erf err ers erv esc ese ess est etu \
    eve evi ext far fer fff fig fin fla for fre get han her hif ice idx ift ign ile ime inc ind ine \
    inf ing ini int inu ion irq ist ite ive ize key lan lat lav lea led len lic lin loc lse lud map \
    mas max mcp mem min mod msg nal nam ncl nde ndi nel net nfo nit nne nod not nse nst nte ntr num \
    ock ode off oin ome ond onf ons ont ore orm ort ost oto oun out par pci per phy pin poi por ppl \
    pre pri pro que ram ran rat rea rec ree reg req res ret rin rit riv rol ror rro rru rtc ruc ser \
    set shi sig siz sla spi sta ste str swi tar tat tch ted ter the tic tim tio tor tro tru tur tus \
    typ uct ude ule ult unt url urn usb use val ver vic voi war wit wri ype";

/// The same as a set: five bits a letter.
const COMMON_SET: [u64; 512] = {
    let mut set = [0; 512];
    let text = COMMON.as_bytes();
    let mut i = 0;
    while i < text.len() {
        let at = triple(text[i], text[i + 1], text[i + 2]);
        set[at >> 6] |= 1 << (at & 63);
        i += 4;
    }
    set
};

const fn triple(a: u8, b: u8, c: u8) -> usize {
    (a as usize & 31) << 10 | (b as usize & 31) << 5 | (c as usize & 31)
}

/// How much more common three bytes are together than apart: rules of signs and comments the most.
fn together(three: &[u8]) -> u64 {
    let &[a, b, c] = three else { return 1 };
    let at = triple(a, b, c);
    match three.iter().all(u8::is_ascii_lowercase) {
        true if COMMON_SET[at >> 6] >> (at & 63) & 1 == 1 => 100,
        false if a == b && b == c => 3_000,
        _ => 1,
    }
}

/// How common a window is in source text and prose; the order matters, not the figures.
fn weight(window: &Window) -> u64 {
    let w: Vec<u8> = window.iter().copied().flatten().collect();
    let apart: u64 = w.iter().map(|&b| u64::from(WEIGHTS[usize::from(b)])).product();
    w.windows(3).map(together).fold(apart, u64::saturating_mul)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_values_come_back_and_others_do_not() {
        let t = Keyed::new((0..500u32).map(|i| (i * 7919, i)).chain([(7919, 900)]).collect());
        for i in 0..500u32 {
            assert!(t.get(i * 7919).any(|&v| v == i));
        }
        assert_eq!(t.get(7919).count(), 2);
        assert_eq!(t.get(5).count(), 0);
    }

    #[test]
    fn windows_are_rare_and_shared() {
        let literals: Vec<&[u8]> = vec![b"stationzqx", b"ab://", b"://", b"-----begin key-----"];
        let at = choose(&literals);
        assert_eq!((at[0], at[2]), (6, 0));
        assert_ne!(&literals[3][at[3]..at[3] + 3], b"---");
    }
}
