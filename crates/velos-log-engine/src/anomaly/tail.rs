//! How unlikely a count is: upper tails of the negative binomial distribution, in logarithms.

/// ln of P(X >= count) for a negative binomial X with this mean and size; its variance is `mean + mean^2 / size`. The
/// predictive distribution of a Poisson count whose rate has a Gamma posterior is of this kind (Gelman et al., Bayesian
/// Data Analysis, 2.6).
pub(super) fn ln_tail(count: u64, mean: f64, size: f64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    // P(X >= c) = I_q(c, size), the regularised incomplete beta function at q = mean / (mean + size).
    let (a, b) = (count as f64, size);
    let q = mean / (mean + size);
    if q <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if q < (a + 1.0) / (a + b + 2.0) {
        (ln_front(a, b, q) - a.ln() + fraction(a, b, q).ln()).min(0.0)
    } else {
        let other = (ln_front(b, a, 1.0 - q) - b.ln()).exp() * fraction(b, a, 1.0 - q);
        (1.0 - other).max(f64::MIN_POSITIVE).ln().min(0.0)
    }
}

/// ln of P(X = 0).
pub(super) fn ln_none(mean: f64, size: f64) -> f64 {
    -size * (mean / size).ln_1p()
}

/// ln of `x^a (1-x)^b / B(a, b)`.
fn ln_front(a: f64, b: f64, x: f64) -> f64 {
    ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-290;
    const STEPS_MAX: u32 = 2_000;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..STEPS_MAX {
        let m = f64::from(step);
        for numerator in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / away(1.0 + numerator * d);
            c = away(1.0 + numerator / c);
            value *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-12 {
            break;
        }
    }
    value
}

/// Stirling's series, shifted to where it is exact enough (DLMF 5.11.1).
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 12.0 {
        shift += x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series =
        (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1_260.0 - 1.0 / (1_680.0 * square)) / square) / square) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - shift
}

/// How many standard deviations above its mean a normal value is as unlikely, for tails below 1 %.
pub(super) fn sigma(ln_p: f64) -> f64 {
    // Newton's method on ln Q(z), whose derivative is -phi(z) / Q(z); Q by its continued fraction (DLMF 7.9.3).
    let mut z = (-2.0 * ln_p).sqrt().max(2.0);
    for _ in 0..20 {
        let mut tail = 0.0;
        for step in (1..=60).rev() {
            tail = f64::from(step) / (z + tail);
        }
        let hazard = z + tail;
        let ln_q = -0.5 * z * z - 0.5 * std::f64::consts::TAU.ln() - hazard.ln();
        let next = (z + (ln_q - ln_p) / hazard).max(1.0);
        if (next - z).abs() < 1e-9 {
            return next;
        }
        z = next;
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-3), "{a} is not {b}");
    }

    /// By adding up probabilities.
    fn slow(count: u64, mean: f64, size: f64) -> f64 {
        let q = mean / (mean + size);
        let mut one = (1.0 - q).powf(size);
        let mut below = 0.0;
        let mut tail = 0.0;
        for k in 0..4_000_u64 {
            if k < count {
                below += one;
            } else {
                tail += one;
            }
            one *= (size + k as f64) / (k as f64 + 1.0) * q;
        }
        let _ = below;
        tail
    }

    #[test]
    fn tails_are_those_of_the_sums() {
        for (count, mean, size) in
            [(1, 0.1, 0.5), (3, 1.0, 10.0), (30, 10.0, 5.0), (8, 20.0, 3.0), (12, 1.0, 240.0)]
        {
            close(ln_tail(count, mean, size), slow(count, mean, size).ln());
        }
        close(ln_none(2.0, 4.0), slow(1, 2.0, 4.0).mul_add(-1.0, 1.0).ln());
        // Nearly Poisson: P(X >= 10) with a mean of 1.
        close(ln_tail(10, 1.0, 1e9), 1.114_254_783e-7_f64.ln());
        assert!(ln_tail(10_000, 1.0, 100.0) < -400.0);
    }

    #[test]
    fn sigmas_are_those_of_tables() {
        close(sigma(0.001_349_898_031_630_095_f64.ln()), 3.0);
        close(sigma(2.866_515_718_791_939e-7_f64.ln()), 5.0);
        close(sigma(-804.608_442_013), 40.0);
    }
}
