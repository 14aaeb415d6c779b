//! Pickles are not held in memory: what is asked of the file at a time, and what happens when it changes meanwhile.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::*;

/// A pickle of protocol 4, `{"data": array of bytes (n, side, side), "labels": list}`, without its pixels: what stands before and
/// after them. Labels are 0, 1, 0, 1, ...
fn around(n_images: usize, side: usize) -> [Vec<u8>; 2] {
    let text = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes()].concat();
    let mut start = b"\x80\x04}(".to_vec();
    start.extend(text("data"));
    start.extend(b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01(");
    for length in [n_images, side, side] {
        start.push(b'J');
        start.extend(i32::try_from(length).unwrap().to_le_bytes());
    }
    start.extend(b"tcnumpy\ndtype\n(");
    start.extend(text("u1"));
    start.extend(b"\x89\x88tR\x89\x8e");
    start.extend(((n_images * side * side) as u64).to_le_bytes());
    let mut end = b"tb".to_vec();
    end.extend(text("labels"));
    end.extend(b"](");
    (0..n_images).for_each(|image| end.extend([b'K', (image % 2) as u8]));
    // Python stops at the point; what follows is still part of the digest.
    end.extend(b"eu.left over");
    [start, end]
}

/// Pixels that follow from their place.
fn pixel(at: u64) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 16) as u8
}

/// A file that is made as it is read: `around` and its pixels.
struct Made {
    around: [Vec<u8>; 2],
    n_pixels: u64,
    at: u64,
    seen: Arc<Seen>,
}

/// What was asked of it.
#[derive(Default)]
struct Seen {
    largest: AtomicUsize,
    n_bytes: AtomicU64,
}

impl Made {
    fn n_bytes(&self) -> u64 {
        (self.around[0].len() + self.around[1].len()) as u64 + self.n_pixels
    }

    fn byte(&self, at: u64) -> u8 {
        let start = self.around[0].len() as u64;
        if at < start {
            self.around[0][at as usize]
        } else if at < start + self.n_pixels {
            pixel(at - start)
        } else {
            self.around[1][(at - start - self.n_pixels) as usize]
        }
    }
}

impl Read for Made {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.seen.largest.fetch_max(buffer.len(), Ordering::Relaxed);
        let n_read = (self.n_bytes() - self.at).min(buffer.len() as u64);
        for (byte, at) in buffer[..n_read as usize].iter_mut().zip(self.at..) {
            *byte = self.byte(at);
        }
        self.at += n_read;
        self.seen.n_bytes.fetch_add(n_read, Ordering::Relaxed);
        Ok(n_read as usize)
    }
}

impl Seek for Made {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(0) => self.n_bytes(),
            SeekFrom::End(_) | SeekFrom::Current(_) => {
                return Err(io::ErrorKind::Unsupported.into());
            }
        };
        Ok(self.at)
    }
}

#[test]
fn a_large_pickle_is_read_through_a_small_buffer_and_an_image_at_a_time() {
    let (n_images, side) = (1600, 100);
    let n_each = side * side;
    let seen = Arc::new(Seen::default());
    let made = Made {
        around: around(n_images, side),
        n_pixels: (n_images * n_each) as u64,
        at: 0,
        seen: Arc::clone(&seen),
    };
    let n_bytes = made.n_bytes();
    assert!(n_bytes > 16_000_000);
    let whole: Vec<u8> = (0..n_bytes).map(|at| made.byte(at)).collect();

    let source = Arc::new(Source::new(made).unwrap());
    let mut hasher = Sha256::new();
    let tables = meaning::of_pickle(&source, &mut hasher).unwrap();
    // Every byte once, 64 KiB at a time: nothing of 16 MB was ever asked for as one.
    assert_eq!(seen.n_bytes.load(Ordering::Relaxed), n_bytes);
    assert_eq!(seen.largest.load(Ordering::Relaxed), 64 << 10);
    let mut expected = Sha256::new();
    expected.update(n_bytes.to_le_bytes());
    expected.update(&whole);
    assert_eq!(hasher.finalize(), expected.finalize());

    assert_eq!(tables[0].labels[..4], ["0", "1", "0", "1"]);
    let images = &tables[0].images;
    assert_eq!(images.len(), n_images);
    for image in [0, 1, 777, n_images - 1] {
        let before = seen.n_bytes.load(Ordering::Relaxed);
        let bytes = images[image].piece().bytes().unwrap();
        let first = (image * n_each) as u64;
        assert!(
            bytes
                .iter()
                .zip(first..)
                .all(|(byte, at)| *byte == pixel(at)),
            "{image}"
        );
        assert_eq!(seen.n_bytes.load(Ordering::Relaxed) - before, n_each as u64);
    }
    assert_eq!(seen.largest.load(Ordering::Relaxed), 64 << 10);

    // From a file, with the images of the memory and its digest.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.pkl");
    fs::write(&path, &whole).unwrap();
    let reading = Reading {
        size: side.into(),
        ink: crate::Ink::Bright,
        ..Reading::default()
    };
    let dataset = load(&path, reading).unwrap();
    assert_eq!(dataset.n_images(), n_images);
    // Even images are class 0, odd ones class 1.
    for (image_idx, image) in [(0, 0), (1, 2), (800, 1), (1599, 1599)] {
        let first = (image * n_each) as u64;
        let pixels = dataset.image(image_idx).iter().zip(first..);
        assert!(
            pixels.clone().all(|(byte, at)| *byte == pixel(at)),
            "{image}"
        );
    }
    let mut expected = Sha256::new();
    expected.update(n_bytes.to_le_bytes());
    expected.update(&whole);
    assert_eq!(dataset.digest, digest::hex(&expected.finalize()));
}

#[test]
fn digests_are_those_of_the_reader_of_whole_files() {
    // Of the files' lengths and bytes, as the reader that held them in memory gave them.
    for name in [
        "cache-protocol-0.pkl",
        "cache-protocol-4.pkl",
        "cifar.pkl",
        "medmnist.npz",
    ] {
        let bytes = fs::read(kept(name)).unwrap();
        let mut hasher = Sha256::new();
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
        let dataset = open(&kept(name)).unwrap();
        assert_eq!(dataset.digest, digest::hex(&hasher.finalize()), "{name}");
    }
}

#[test]
fn a_file_that_becomes_shorter_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.pkl");
    let [start, end] = around(4, 20);
    let pixels: Vec<u8> = (0..1600).map(pixel).collect();
    let whole = [start.as_slice(), &pixels, &end].concat();
    fs::write(&path, &whole).unwrap();
    let source = Arc::new(Source::open(&path).unwrap());
    let tables = meaning::of_pickle(&source, &mut Sha256::new()).unwrap();

    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(start.len() as u64 + 500).unwrap();
    let images = named(&path, &Name::of(&path), tables);
    assert_eq!(images[0].picture(1, false).unwrap().pixels, pixels[..400]);
    let refused = images[3].picture(1, false).err().unwrap().to_string();
    assert!(
        refused.contains("set.pkl") && refused.contains("changed while it was read"),
        "{refused}"
    );
    // During the first pass, and when it grew before it.
    let refused = meaning::of_pickle(&source, &mut Sha256::new())
        .err()
        .unwrap();
    assert!(
        refused.contains("at byte") && refused.contains("changed while"),
        "{refused}"
    );
    let longer = [whole.as_slice(), &[0; 100]].concat();
    fs::write(&path, &longer).unwrap();
    let refused = meaning::of_pickle(&source, &mut Sha256::new())
        .err()
        .unwrap();
    assert!(
        refused.contains(&format!("has {} now", longer.len())),
        "{refused}"
    );
}

#[test]
fn strings_on_both_sides_of_what_is_kept_are_the_same_images() {
    // [pictures of 255 and of 256 bytes, labels]: PNGs whose rest after the end is filled up.
    let mut png = Vec::new();
    let image = image::GrayImage::from_fn(4, 4, |x, y| image::Luma([(x * 60 + y) as u8]));
    image
        .write_to(&mut io::Cursor::new(&mut png), image::ImageFormat::Png)
        .unwrap();
    let padded = |n_bytes: usize| [png.clone(), vec![0; n_bytes - png.len()]].concat();
    let mut file = b"](](".to_vec();
    for n_bytes in [255, 256] {
        file.push(b'B');
        file.extend(u32::try_from(n_bytes).unwrap().to_le_bytes());
        file.extend(padded(n_bytes));
    }
    file.extend(b"e](K\x01K\x01ee.");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.pkl");
    fs::write(&path, file).unwrap();
    let dataset = open(&path).unwrap();
    assert_eq!(dataset.image(0), image.as_raw());
    assert_eq!(dataset.image(1), image.as_raw());
}
