use super::*;

/// Numbers that look random, from a seed (Steele et al., SplitMix, 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.next()).ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 60.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
        }
        let limit = (-mean).exp();
        let (mut count, mut product) = (0, self.next());
        while product > limit {
            count += 1;
            product *= self.next();
        }
        count
    }

    /// Marsaglia and Tsang, 2000.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.next().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.next()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    fn negative_binomial(&mut self, mean: f64, size: f64) -> u32 {
        let rate = mean / size * self.gamma(size);
        self.poisson(rate)
    }
}

const DAY: usize = 1_440;

/// False episodes a day of a kind of noise.
fn false_rate(days: u64, mut noise: impl FnMut(&mut Dice) -> u32) -> f64 {
    let mut all = 0;
    for seed in 0..days {
        let mut dice = Dice(seed * 7_919 + 1);
        let counts: Vec<u32> = (0..DAY).map(|_| noise(&mut dice)).collect();
        all += episodes(&counts).len();
    }
    all as f64 / days as f64
}

#[test]
fn noise_raises_few_alarms() {
    let days = 60;
    for mean in [0.02, 0.2, 1.0, 3.0, 10.0, 100.0] {
        let rate = false_rate(days, |dice| dice.poisson(mean));
        assert!(rate <= 0.25, "Poisson {mean}: {rate} a day");
        for size in [0.5, 1.0, 3.0, 10.0] {
            let rate = false_rate(days, |dice| dice.negative_binomial(mean, size));
            assert!(rate <= 0.25, "negative binomial {mean}, {size}: {rate} a day");
        }
    }
}

#[test]
fn heavier_tails_and_bursts_raise_few_alarms() {
    for mean in [1.0_f64, 10.0] {
        let rate = false_rate(60, |dice| {
            let rate = mean * (0.8 * dice.normal() - 0.32).exp();
            dice.poisson(rate)
        });
        assert!(rate <= 0.25, "log-normal rate {mean}: {rate} a day");
    }
}

#[test]
fn a_rate_that_wanders_raises_few_alarms() {
    let mut level = 0.0;
    let rate = false_rate(60, |dice| {
        level = 0.8 * level + 0.3 * dice.normal();
        let rate = 10.0 * f64::exp(level);
        dice.poisson(rate)
    });
    assert!(rate <= 0.25, "{rate} a day");
}

/// Part of the spikes that are found, and the false episodes beside them.
fn caught(usual: f64, factor: f64, minutes: usize, size: Option<f64>) -> (f64, f64) {
    let (mut hits, mut others) = (0, 0);
    let days = 100;
    for seed in 0..days {
        let mut dice = Dice(seed * 104_729 + 3);
        let at = 300 + (dice.next() * 1_000.0) as usize;
        let counts: Vec<u32> = (0..DAY)
            .map(|minute| {
                let mean = if (at..at + minutes).contains(&minute) { usual * factor } else { usual };
                match size {
                    Some(size) => dice.negative_binomial(mean, size),
                    None => dice.poisson(mean),
                }
            })
            .collect();
        let found = episodes(&counts);
        let is_hit = |episode: &&Episode| {
            episode.kind == Kind::Spike && episode.start < at + minutes && episode.end >= at
        };
        hits += usize::from(found.iter().any(|episode| is_hit(&episode)));
        others += found.iter().filter(|episode| !is_hit(episode)).count();
    }
    (hits as f64 / days as f64, others as f64 / days as f64)
}

#[test]
fn spikes_are_caught() {
    for (mean, factor, minutes, size) in [
        (1.0, 10.0, 3, None),
        (1.0, 10.0, 5, None),
        (1.0, 10.0, 15, None),
        (10.0, 3.0, 3, None),
        (10.0, 3.0, 5, None),
        (10.0, 3.0, 30, None),
        (1.0, 10.0, 10, Some(2.0)),
        (10.0, 3.0, 10, Some(5.0)),
        (10.0, 3.0, 15, Some(3.0)),
    ] {
        let (hits, others) = caught(mean, factor, minutes, size);
        assert!(hits >= 0.95, "x{factor} at {mean}/min for {minutes}min, {size:?}: {hits}");
        assert!(
            others <= 0.25,
            "x{factor} at {mean}/min for {minutes}min, {size:?}: {others} false ones a day"
        );
    }
}

#[test]
fn an_episode_says_when_and_how_much() {
    let mut counts = [1, 0, 1, 0, 0, 1, 0, 0, 1, 1].repeat(30);
    counts.extend([9, 7, 8, 6]);
    counts.extend([0, 1, 0, 1].repeat(10));
    let found = episodes(&counts);
    assert_eq!(found.len(), 1, "{found:?}");
    let spike = &found[0];
    assert_eq!((spike.kind, spike.start, spike.end, spike.count), (Kind::Spike, 300, 303, 30));
    assert!(!spike.is_active && spike.ratio() > 10.0);
    assert_eq!(spike.text(), format!("{:.1}σ above normal (7.5/min, usually 0.5)", spike.sigma));
}

#[test]
fn silence_is_told_and_ends() {
    let mut counts = [5, 4, 6, 5].repeat(30);
    counts.extend([0; 12]);
    let found = episodes(&counts);
    assert_eq!(
        (found[0].kind, found[0].start, found[0].end, found[0].is_active),
        (Kind::Silence, 120, 131, true)
    );
    assert_eq!(found[0].text(), "silent for 12min (usually 5/min)");
    counts.extend([5, 5, 5]);
    assert!(!episodes(&counts)[0].is_active);
    // Seldom and irregular: silence says nothing.
    assert!(episodes(&[[3, 0, 0, 0, 0, 0, 0, 0].repeat(40), vec![0; 15]].concat()).is_empty());
}
