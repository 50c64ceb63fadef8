//! Made-up tokens, put together at run time.

/// The n-th made-up token of GitHub's form, with the checksum that its rule demands.
pub(crate) fn token(n: u64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut seed = Random(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995);
    let body: String = (0..30).map(|_| char::from(DIGITS[seed.below(62) as usize])).collect();
    let mut sum = crc32fast::hash(body.as_bytes());
    let mut tail = [b'0'; 6];
    for digit in tail.iter_mut().rev() {
        *digit = DIGITS[(sum % 62) as usize];
        sum /= 62;
    }
    format!("gh{}{body}{}", "p_", String::from_utf8_lossy(&tail))
}

/// Numbers that are the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}
