//! Which elementary functions this machine has: `exp` and `ln` are the system's, and the last bit of their results
//! depends on its version and on the processor.

use std::hint::black_box;

/// Arguments of each function.
const N_POINTS: u32 = 1024;

/// A digest of `exp`, `ln` and `cos` in both precisions, 16 hex digits: equal where training has equal bits, as far as
/// these functions decide.
///
/// Two systems of equal digest agree on 1,024 arguments of each function, between 2^-20 and 2^6. A function that differs
/// elsewhere alone is not seen.
#[must_use]
pub fn elementary_digest() -> String {
    // FNV-1a over the results' bits.
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bits: u64| {
        for byte in bits.to_le_bytes() {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for i in 0..N_POINTS {
        // Exact powers of two times odd numbers: the arguments themselves come from no function.
        let x = f64::from(2 * i + 1) / f64::from(2 * N_POINTS);
        let scale = f64::from(1 << (i % 27)) / f64::from(1 << 20);
        // Behind a black box, or the compiler's own functions would answer.
        let x = black_box(x * scale);
        #[allow(clippy::cast_possible_truncation, reason = "single precision is meant")]
        let single = black_box(x as f32);
        for y in [x.exp(), (-x).exp(), x.ln(), x.cos()] {
            add(y.to_bits());
        }
        for y in [single.exp(), (-single).exp(), single.ln(), single.cos()] {
            add(u64::from(y.to_bits()));
        }
    }
    format!("{digest:016x}")
}

#[cfg(test)]
mod tests {
    use super::elementary_digest;

    #[test]
    fn one_machine_has_one_digest() {
        assert_eq!(elementary_digest().len(), 16);
        assert_eq!(elementary_digest(), elementary_digest());
    }
}
