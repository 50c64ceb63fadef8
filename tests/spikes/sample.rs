//! Made-up use of keys, from a seed: 0.05 to 100 requests an hour, shaped by day and week, two thirds of them more
//! uneven than chance, some with batches.

/// Hours of a week.
pub(crate) const WEEK: usize = 168;
/// Weeks of training.
pub(crate) const TRAINING: usize = 4;

/// A generator of numbers that is the same everywhere (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1, without either.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// By Marsaglia and Tsang.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.unit().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.unit().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            // Halves until the product below does not vanish.
            return self.poisson(mean / 2.0) + self.poisson(mean / 2.0);
        }
        let (limit, mut product, mut n) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            n += 1;
        }
        n
    }

    /// A negative binomial of that mean and size.
    pub(crate) fn uneven(&mut self, mean: f64, size: Option<f64>) -> u64 {
        let mean = size.map_or(mean, |k| mean * self.gamma(k) / k);
        self.poisson(mean)
    }
}

/// One key: what it does, and what is done with it.
pub(crate) struct Key {
    /// Mean requests an hour.
    pub(crate) rate: f64,
    /// Expected requests of each hour of the week.
    pub(crate) shape: Vec<f64>,
    /// Unevenness, if more than chance.
    pub(crate) size: Option<f64>,
    /// Whether it has batches at any hour, two a week.
    pub(crate) bursts: bool,
    /// Requests of each hour of training and test, without an attack.
    pub(crate) usual: Vec<u64>,
    /// First hour of the attack, for half of the keys.
    pub(crate) attacked: Option<usize>,
    seed: u64,
}

/// Hours of an attack.
pub(crate) const ATTACK: usize = 12;

impl Key {
    pub(crate) fn new(seed: u64, n: u64) -> Key {
        let mut r = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(n));
        let rate = (r.between(0.05_f64.ln(), 100_f64.ln())).exp();
        let (peak, depth, weekend) = (r.between(8.0, 18.0), r.between(0.0, 0.9), r.between(0.2, 1.0));
        let size = (r.unit() < 2.0 / 3.0).then(|| r.between(1.5_f64.ln(), 15_f64.ln()).exp());
        let batch = r.unit();
        let batch_hour = (r.unit() * 24.0) as usize;
        let mut shape: Vec<f64> = (0..WEEK)
            .map(|h| {
                let day = 1.0 + depth * (std::f64::consts::TAU * ((h % 24) as f64 - peak) / 24.0).cos();
                day * if matches!(h / 24, 2 | 3) { weekend } else { 1.0 }
            })
            .collect();
        // A batch at the same hour of each day, for a tenth of the keys.
        if batch < 0.1 {
            shape.iter_mut().enumerate().filter(|(h, _)| h % 24 == batch_hour).for_each(|(_, s)| *s *= 8.0);
        }
        let mean = shape.iter().sum::<f64>() / WEEK as f64;
        shape.iter_mut().for_each(|s| *s *= rate / mean);
        // Batches at any hour, twice a week, for another fifth.
        let bursts = (0.1..0.3).contains(&batch);
        let hours = (TRAINING + 1) * WEEK;
        let usual = (0..hours)
            .map(|h| {
                let more = if bursts && r.unit() < 2.0 / WEEK as f64 { r.between(4.0, 10.0) } else { 1.0 };
                r.uneven(shape[h % WEEK] * more, size)
            })
            .collect();
        let at = TRAINING * WEEK + (r.unit() * (WEEK - ATTACK) as f64) as usize;
        Key { rate, shape, size, bursts, usual, attacked: n.is_multiple_of(2).then_some(at), seed: seed ^ n }
    }

    /// What is seen if an attack brings the use to `factor` times the mean. A program does that: it works steadily, and
    /// keeps no office hours.
    pub(crate) fn seen(&self, factor: f64) -> Vec<u64> {
        let mut seen = self.usual.clone();
        if let Some(at) = self.attacked {
            let mut r = Random::new(self.seed.wrapping_mul(77).wrapping_add((factor * 10.0) as u64));
            for slot in &mut seen[at..at + ATTACK] {
                *slot += r.poisson(self.rate * (factor - 1.0));
            }
        }
        seen
    }
}

/// The keys of a seed.
pub(crate) fn keys(seed: u64, n: u64) -> Vec<Key> {
    (0..n).map(|i| Key::new(seed, i)).collect()
}
