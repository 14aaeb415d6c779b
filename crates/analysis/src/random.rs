//! Keyed random draws: replicate `i` of a purpose has a generator of its own, whatever thread it runs on.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The generator of replicate `index` for `purpose`, e.g. `tail/tasks`, under `seed`.
pub(crate) fn generator(seed: u64, purpose: &str, index: u64) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&fnv(purpose).to_le_bytes());
    key[24..].copy_from_slice(b"analysis");
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(index);
    rng
}

/// FNV-1a of the purpose: stable across compilers, unlike the standard library's hasher.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A uniform index under `n` (at least 1). Multiply-high on 64 bits: no index is off by more than `n / 2^64`.
pub(crate) fn index(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// Puts the values into a uniformly random order (Durstenfeld 1964).
pub(crate) fn shuffle<T>(rng: &mut ChaCha8Rng, values: &mut [T]) {
    for at in (1..values.len()).rev() {
        values.swap(at, index(rng, at + 1));
    }
}

/// A uniform number in `[0, 1)` on the grid of `2^-53`.
pub(crate) fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}
