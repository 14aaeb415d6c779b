//! Images from strangers: one guard for all readers. It bounds what a file may unpack to, what a picture may decode to, what
//! all pictures that are decoded at the same time may hold, and what a data set may become, each before it is allocated.
//!
//! Bounds of zip archives stand in [`crate::archive::Limits`]; the pictures inside pass here.

use std::sync::{Condvar, Mutex, PoisonError};

use image::Limits;

use crate::ImageSize;

/// Most bytes of one decoded picture: 90 million pixels in colour, beyond any camera.
const MOST_DECODED: u64 = 512 << 20;

/// Up to here a picture's ratio is not looked at: blank paper compresses well.
const FREE_DECODED: u64 = 64 << 20;

/// Decoded over stored bytes above that: photographs have 10 to 50, text on paper 200.
const MOST_DECODED_RATIO: u64 = 1000;

/// Most bytes of all pictures that are decoded at the same time; a picture alone is always let in.
const MOST_IN_FLIGHT: u64 = 1 << 30;

/// Up to here the ratio of an unpacked file is not looked at.
const FREE_UNPACKED: u64 = 1 << 20;

/// Unpacked over packed bytes above that: MNIST has 5, sparse drawings have 50, a bomb 1000.
const MOST_UNPACKED_RATIO: u64 = 200;

/// Most bytes of pixels of a data set, one for each channel of a pixel.
const MOST_PIXELS: u128 = 16 << 30;

/// Up to here a data set may be any number of times larger than what it is read from.
const FREE_PIXELS: u128 = 256 << 20;

/// Pixels of a data set over bytes of its source above that: images are made smaller as a rule, not larger.
const MOST_GROWTH: u128 = 64;

/// What decoders may allocate by themselves.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(1 << 16);
    limits.max_image_height = Some(1 << 16);
    limits.max_alloc = Some(MOST_DECODED);
    limits
}

/// Whether a file of `packed` bytes may unpack to `declared`.
///
/// # Errors
/// A sentence with both numbers.
pub(crate) fn unpacked(declared: u64, packed: u64) -> Result<(), String> {
    if declared > FREE_UNPACKED && declared > packed.saturating_mul(MOST_UNPACKED_RATIO) {
        return Err(format!(
            "{packed} bytes unpack to {declared}, more than {MOST_UNPACKED_RATIO} times as many: refused as a decompression bomb"
        ));
    }
    Ok(())
}

/// The bytes of a data set of so many images of a size and so many channels out of `source` bytes.
///
/// # Errors
/// A sentence with the numbers.
pub(crate) fn dataset(
    n_images: usize,
    size: ImageSize,
    channels: usize,
    source: u64,
) -> Result<usize, String> {
    let pixels = [n_images, size.height, size.width, channels]
        .iter()
        .fold(1_u128, |product, it| product.saturating_mul(*it as u128));
    let grows = pixels > FREE_PIXELS && pixels > u128::from(source).saturating_mul(MOST_GROWTH);
    if pixels > MOST_PIXELS || grows {
        return Err(format!(
            "{n_images} images of {}x{}x{channels} are {pixels} bytes out of {source}; at most {MOST_PIXELS} are read, and {MOST_GROWTH} times what is there",
            size.height, size.width
        ));
    }
    usize::try_from(pixels).map_err(|error| error.to_string())
}

/// Room for pictures that are being decoded.
static ROOM: Room = Room {
    taken: Mutex::new(0),
    changed: Condvar::new(),
};

struct Room {
    taken: Mutex<u64>,
    changed: Condvar,
}

/// The place of one picture, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(u64);

/// Waits until a picture that decodes to `decoded` bytes and has `n_pixels` has room; refuses it if it is too large, or too
/// large for a file of `stored` bytes.
///
/// # Errors
/// A sentence with the numbers.
pub(crate) fn picture(decoded: u64, n_pixels: u64, stored: u64) -> Result<Seat, String> {
    if decoded > MOST_DECODED {
        return Err(format!(
            "it decodes to {decoded} bytes, more than the limit of {MOST_DECODED}"
        ));
    }
    if decoded > FREE_DECODED && decoded > stored.saturating_mul(MOST_DECODED_RATIO) {
        return Err(format!(
            "{stored} bytes decode to {decoded}, more than {MOST_DECODED_RATIO} times as many: refused as a decompression bomb"
        ));
    }
    // The decoded picture, a copy of it in four bytes a pixel that colour and transparency need, and the grey one.
    let bytes = decoded.saturating_add(n_pixels.saturating_mul(9));
    let mut taken = ROOM.taken.lock().unwrap_or_else(PoisonError::into_inner);
    while *taken > 0 && taken.saturating_add(bytes) > MOST_IN_FLIGHT {
        taken = ROOM
            .changed
            .wait(taken)
            .unwrap_or_else(PoisonError::into_inner);
    }
    *taken = taken.saturating_add(bytes);
    Ok(Seat(bytes))
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = ROOM.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_sub(self.0);
        drop(taken);
        ROOM.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bombs_are_refused_and_honest_files_are_not() {
        // MNIST's training images: 9,912,422 packed bytes.
        unpacked(47_040_016, 9_912_422).unwrap();
        unpacked(1 << 20, 100).unwrap();
        assert!(unpacked(47_040_016, 47_000).is_err());
        assert!(unpacked(u64::MAX, 1 << 40).is_err());
        assert_eq!(
            dataset(60_000, 28.into(), 1, 47_040_016).unwrap(),
            47_040_000
        );
        // A byte an image, made 28x28.
        assert!(dataset(1 << 31, 28.into(), 1, 1 << 31).is_err());
        assert!(dataset(60_000, 512.into(), 1, 60_000).is_err());
        assert!(dataset(usize::MAX, 512.into(), 1, u64::MAX).is_err());
        // A photograph of 24 million pixels, and a page as large without a mark on it.
        drop(picture(72_000_000, 24_000_000, 8_000_000).unwrap());
        assert!(picture(72_000_000, 24_000_000, 40_000).is_err());
        assert!(picture(1 << 30, 1 << 28, 1 << 29).is_err());
    }

    #[test]
    fn pictures_wait_for_room() {
        let large = || picture(400 << 20, 50 << 20, 400 << 20).unwrap();
        let first = large();
        let waiting = std::thread::spawn(move || drop(large()));
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!waiting.is_finished(), "both at once");
        drop(first);
        waiting.join().unwrap();
    }
}
