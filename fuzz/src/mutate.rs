//! Changes at random: bits, bytes, lengths, parts of other inputs; in texts also numbers and words.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// Numbers that arithmetic trips over, and words that parsers do.
const WORDS: [&str; 32] = [
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483647",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e300",
    "-1e300",
    "1e-300",
    "1e999",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "null",
    "true",
    "\"\"",
    "\"a\"",
    "[]",
    "{}",
    "[[",
    "\u{0}",
    "\u{feff}",
    "\u{1F600}",
    "=",
    ",",
    "\n",
];

/// Whole numbers as files have them.
const EDGES: [u64; 8] = [0, 1, 127, 255, 0x7fff_ffff, 0xffff_ffff, 1 << 40, u64::MAX];

/// Longest input.
const MOST: usize = 1 << 16;

/// A seed with one to eight changes.
pub fn mutated(seeds: &[Vec<u8>], is_text: bool, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
    for _ in 0..rng.random_range(1..=8) {
        if is_text && rng.random_range(0..3) < 2 {
            change_text(&mut bytes, rng);
        } else {
            change(&mut bytes, seeds, rng);
        }
        bytes.truncate(MOST);
    }
    bytes
}

fn place(bytes: &[u8], rng: &mut ChaCha8Rng) -> usize {
    // Headers stand at the ends of files, and matter most.
    let n = bytes.len();
    match rng.random_range(0..4) {
        0 => rng.random_range(0..n.min(64)),
        1 => n - 1 - rng.random_range(0..n.min(64)),
        _ => rng.random_range(0..n),
    }
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        bytes.push(rng.next_u32() as u8);
        return;
    }
    let at = place(bytes, rng);
    match rng.random_range(0..9) {
        0 | 1 => bytes[at] ^= 1 << rng.random_range(0..8),
        2 => bytes[at] = rng.next_u32() as u8,
        3 => {
            let edge = EDGES[rng.random_range(0..EDGES.len())];
            let edge = if rng.random() {
                edge.to_le_bytes()
            } else {
                edge.to_be_bytes()
            };
            let width = [1, 2, 4, 8][rng.random_range(0..4)];
            let edge = if rng.random() {
                &edge[..width]
            } else {
                &edge[8 - width..]
            };
            for (byte, edge) in bytes[at..].iter_mut().zip(edge) {
                *byte = *edge;
            }
        }
        4 => bytes.truncate(at),
        5 => {
            let end = (at + rng.random_range(1..32)).min(bytes.len());
            bytes.drain(at..end);
        }
        6 => {
            let n = rng.random_range(1..16);
            let byte = rng.next_u32() as u8;
            bytes.splice(at..at, (0..n).map(|_| byte));
        }
        7 => {
            let end = (at + rng.random_range(1..128)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            let to = rng.random_range(0..=bytes.len());
            bytes.splice(to..to, copy);
        }
        _ => {
            let other = &seeds[rng.random_range(0..seeds.len())];
            if !other.is_empty() {
                let from = rng.random_range(0..other.len());
                let end = (from + rng.random_range(1..256)).min(other.len());
                let until = (at + end - from).min(bytes.len());
                bytes.splice(at..until, other[from..end].iter().copied());
            }
        }
    }
}

/// Puts a word in the place of a number or a word, or between two characters; or removes or repeats a line.
fn change_text(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.random_range(0..bytes.len());
    let word = WORDS[rng.random_range(0..WORDS.len())].bytes();
    let is_of = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._".contains(byte);
    match rng.random_range(0..6) {
        0..=2 => {
            let Some(begin) = (at..bytes.len()).find(|i| bytes[*i].is_ascii_digit()) else {
                return;
            };
            let n = bytes[begin..].iter().take_while(|byte| is_of(byte)).count();
            bytes.splice(begin..begin + n, word);
        }
        3 => {
            let n = bytes[at..].iter().take_while(|byte| is_of(byte)).count();
            bytes.splice(at..at + n, word);
        }
        4 => {
            bytes.splice(at..at, word);
        }
        _ => {
            let begin = bytes[..at].iter().rposition(|byte| *byte == b'\n');
            let begin = begin.map_or(0, |it| it + 1);
            let n = bytes[begin..]
                .iter()
                .take_while(|byte| **byte != b'\n')
                .count();
            let end = (begin + n + 1).min(bytes.len());
            if rng.random() {
                bytes.drain(begin..end);
            } else {
                let line = bytes[begin..end].to_vec();
                let to = rng.random_range(0..=bytes.len());
                bytes.splice(to..to, line);
            }
        }
    }
}
