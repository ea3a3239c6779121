//! A logarithm in whole numbers.
//!
//! `f64::ln` may differ between platforms in its last digit, and then two nodes disagree about an
//! owner (R1 of placement: the same answer on every target). This one is arithmetic on integers.

/// −log₂((`draw` + 1) / 2⁶⁴), or rather that of the nearest odd draw, in units of 2⁻⁵⁶, to within
/// 3 parts in a million of a bit.
///
/// Never rises with `draw`, so that equal weights compare as their draws do.
pub(crate) fn cost(draw: u64) -> u64 {
    // Zero has no logarithm.
    let draw = draw | 1;
    let zeros = draw.leading_zeros();
    // The leading one is implied; eight bits choose a segment; the rest says how far into it.
    let mantissa = draw << zeros;
    let segment = (mantissa >> REST_BITS) as usize & (SEGMENTS - 1);
    let rest = mantissa & ((1 << REST_BITS) - 1);
    let rise = u128::from(TABLE[segment + 1] - TABLE[segment]);
    let within = ((rise * u128::from(rest)) >> REST_BITS) as u64;
    (64 << FRACTION_BITS) - (u64::from(63 - zeros) << FRACTION_BITS) - TABLE[segment] - within
}

const FRACTION_BITS: u32 = 56;
const SEGMENTS: usize = 256;
const REST_BITS: u32 = 55;

/// log₂(1 + i/256) in units of 2⁻⁵⁶.
static TABLE: [u64; SEGMENTS + 1] = table();

const fn table() -> [u64; SEGMENTS + 1] {
    let mut table = [0; SEGMENTS + 1];
    let mut segment = 0;
    while segment < SEGMENTS {
        table[segment] = log2((1 << 63) | ((segment as u64) << REST_BITS));
        segment += 1;
    }
    table[SEGMENTS] = 1 << FRACTION_BITS;
    table
}

/// The logarithm of a number in [1, 2), given in units of 2⁻⁶³: squaring doubles it, and whether
/// the square passes 2 is its next bit.
const fn log2(number: u64) -> u64 {
    let mut number = number as u128;
    let mut log = 0;
    let mut bit = 0;
    while bit < FRACTION_BITS {
        number = (number * number) >> 63;
        log <<= 1;
        if number >> 64 != 0 {
            number >>= 1;
            log |= 1;
        }
        bit += 1;
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_logarithm() {
        let check = |draw: u64| {
            let exact = 64.0 - ((draw | 1) as f64).log2();
            let ours = cost(draw) as f64 / 2f64.powi(56);
            assert!((exact - ours).abs() < 3e-6, "{draw}: {ours}, exactly {exact}");
        };
        for shift in 0..64 {
            check(1 << shift);
            check(u64::MAX >> shift);
            check(0x9e37_79b9_7f4a_7c15 >> shift);
        }
        for step in 0..100_000 {
            check(step * 0x0000_a7c5_ac47_1b47);
        }
        check(0);
    }

    #[test]
    fn it_never_rises() {
        let mut before = cost(0);
        for step in 1..=1_000_000 {
            let cost = cost(step * (u64::MAX / 1_000_000));
            assert!(cost < before, "at step {step}");
            before = cost;
        }
        for draw in (0..1000).map(|below| u64::MAX - below) {
            assert!(cost(draw) <= cost(draw - 1), "at {draw}");
        }
    }

    #[test]
    fn the_best_draw_still_costs_something() {
        assert!(cost(u64::MAX) > 0);
        assert_eq!(cost(0), 64 << FRACTION_BITS);
    }
}
