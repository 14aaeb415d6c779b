//! What the tests share: small data sets, their manifests, archives and parquet files made on the spot.

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use md5::{Digest, Md5};
use metastable_data::fetch::content::Packed;
use metastable_data::fetch::{Event, FileEntry, Manifest, Options, Progress, Timing};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use sha2::Sha256;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn md5(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes without a pattern, so that a mixture of two versions shows.
pub(crate) fn noise(n_bytes: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..n_bytes).map(|_| next()).collect()
}

/// Little patience, so that tests are quick.
pub(crate) fn options(data_dir: &Path) -> Options {
    let mut options = Options::new(data_dir);
    options.retries = 3;
    options.timing = Timing {
        connect: Duration::from_secs(5),
        response: Duration::from_secs(5),
        stall: Duration::from_secs(5),
        min_rate: 1024,
        backoff: Duration::from_millis(1),
        max_wait: Duration::from_secs(2),
    };
    // Neither the machine's variables nor its home directory.
    options.hub.endpoint = Some("http://127.0.0.1:9".to_owned());
    options.hub.token = Some(String::new());
    options
}

/// A data set `toy` of the one file `blob.bin`.
pub(crate) fn blob_manifest(url: &str, body: &[u8]) -> Manifest {
    Manifest {
        name: "toy".to_owned(),
        title: "bytes".to_owned(),
        origin: url.to_owned(),
        license: "CC0-1.0".to_owned(),
        citation: String::new(),
        pixels_sha256: None,
        files: vec![FileEntry {
            name: "blob.bin".to_owned(),
            url: url.to_owned(),
            mirrors: Vec::new(),
            bytes: body.len() as u64,
            md5: Some(md5(body)),
            sha256: None,
            pixels_sha256: None,
            optional: false,
        }],
        hub: Vec::new(),
        image_table: None,
    }
}

/// Names of all files below a folder, but for the lock.
pub(crate) fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() != ".fetch.lock" {
                found.push(
                    path.strip_prefix(folder)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
    }
    found.sort();
    found
}

/// Remembers all events.
#[derive(Clone, Default)]
pub(crate) struct Log(pub(crate) Arc<Mutex<Vec<String>>>);

impl Progress for Log {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

/// A 12x10 drawing that differs for every number; little ink.
pub(crate) fn drawing(number: u32) -> Packed {
    let mut bits = vec![0xff_u8; 20];
    bits.iter_mut()
        .skip(1)
        .step_by(2)
        .for_each(|byte| *byte = 0xf0);
    for bit in 0..12 {
        if number >> bit & 1 == 1 {
            bits[2 * (bit % 10)] &= !(0x80 >> (bit / 10));
        }
    }
    bits[18] &= 0x7f;
    Packed {
        width: 12,
        height: 10,
        bits,
    }
}

/// A PNG of `image` in 8-bit color, as repositories keep it.
pub(crate) fn rgb_png(image: &Packed) -> Vec<u8> {
    let row_bytes = image.width.div_ceil(8) as usize;
    let mut data = Vec::new();
    for row in image.bits.chunks(row_bytes) {
        for x in 0..image.width as usize {
            let value = if row[x / 8] & (0x80 >> (x % 8)) == 0 {
                0
            } else {
                255
            };
            data.extend([value; 3]);
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width, image.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&data)
        .unwrap();
    bytes
}

pub(crate) fn zip_of(entries: &[(String, Vec<u8>)], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer
            .start_file(
                name.as_str(),
                SimpleFileOptions::default().compression_method(method),
            )
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Characters of each of the two archives of [`Drawings`].
const N_CHARACTERS: u32 = 3;
/// Drawings of each character.
const N_DRAWERS: u32 = 2;

/// A data set of drawings in two archives, like Omniglot in small.
pub(crate) struct Drawings {
    pub(crate) manifest: Manifest,
    /// The original archives.
    pub(crate) archives: Vec<Vec<u8>>,
    /// The same images in other bytes.
    pub(crate) repacked: Vec<Vec<u8>>,
    /// All drawings with the number of their character.
    pub(crate) drawings: Vec<(Packed, i64)>,
}

impl Drawings {
    /// `base` is where the archives are published.
    pub(crate) fn new(base: &str) -> Self {
        let mut manifest = blob_manifest(base, b"");
        manifest.files.clear();
        let (mut archives, mut repacked, mut drawings) = (Vec::new(), Vec::new(), Vec::new());
        let mut table = String::new();
        for set in ["images_a", "images_b"] {
            let mut entries = Vec::new();
            let mut digest = Sha256::new();
            for _ in 0..N_CHARACTERS {
                let character = drawings.len() as u32 / N_DRAWERS;
                let mut hashes = String::new();
                for drawer in 1..=N_DRAWERS {
                    let image = drawing(100 * character + drawer);
                    digest.update(&image.bits);
                    hashes += &sha256(&image.bits)[..8];
                    entries.push((
                        format!("{set}/Abc/c{character}/{character:04}_{drawer:02}.png"),
                        rgb_png(&image),
                    ));
                    drawings.push((image, i64::from(character)));
                }
                table += &format!("{set}/Abc/c{character}\t{character:04}\t{hashes}\n");
            }
            let original = zip_of(&entries, zip::CompressionMethod::Deflated);
            entries.reverse();
            repacked.push(zip_of(&entries, zip::CompressionMethod::Stored));
            let mut file = blob_manifest(&format!("{base}/{set}.zip"), &original)
                .files
                .remove(0);
            file.name = format!("{set}.zip");
            file.pixels_sha256 = Some(hex(&digest.finalize()));
            manifest.files.push(file);
            archives.push(original);
        }
        manifest.image_table = Some(table);
        Self {
            manifest,
            archives,
            repacked,
            drawings,
        }
    }

    /// The drawings as rows of a table: PNG and label.
    pub(crate) fn rows(&self) -> Vec<(Vec<u8>, i64)> {
        let rows = self.drawings.iter();
        rows.map(|(image, label)| (rgb_png(image), *label))
            .collect()
    }

    /// The drawings as a parquet file.
    pub(crate) fn parquet(&self) -> Vec<u8> {
        parquet_of(&self.rows())
    }
}

/// A parquet file with the columns `image { bytes, path }` and `label`, compressed as data set repositories do it.
pub(crate) fn parquet_of(rows: &[(Vec<u8>, i64)]) -> Vec<u8> {
    let schema = "message schema {
        optional group image { optional binary bytes; optional binary path (UTF8); }
        optional int64 label;
    }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let images: Vec<ByteArray> = rows.iter().map(|(image, _)| image.clone().into()).collect();
    let labels: Vec<i64> = rows.iter().map(|(_, label)| *label).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<ByteArrayType>()
        .write_batch(&images, Some(&vec![2; rows.len()]), None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<ByteArrayType>()
        .write_batch(&[], Some(&vec![1; rows.len()]), None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int64Type>()
        .write_batch(&labels, Some(&vec![1; rows.len()]), None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}
