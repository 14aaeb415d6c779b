//! Archives from strangers: which zip entries are refused, and how one is read without trusting its header.
//!
//! Nothing here writes entries to disk: data sets are read in memory. The rules still refuse names that would
//! climb out of a folder, so that an archive which passed can also be unpacked by any other tool.
//! Start at [`open`]; then [`read`] each entry.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use zip::ZipArchive;

/// Bounds on what an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries, folders included.
    pub max_entries: usize,
    /// Bytes of one unpacked entry.
    pub max_entry_bytes: u64,
    /// Bytes of all unpacked entries together.
    pub max_total_bytes: u64,
    /// Unpacked over packed bytes, of each entry above [`Self::free_bytes`], and of the whole archive if it is above that.
    ///
    /// Deflate reaches 1032; images that are compressed already stay near 1. Overlapping entries, which share
    /// packed bytes, show up in the ratio of the whole archive.
    pub max_ratio: u64,
    /// Unpacked bytes up to which no ratio is looked at: blank images and sorted labels compress well.
    pub free_bytes: u64,
    /// Whether two names may differ in case alone. Where they are read as the names that they are, they may; a file system that
    /// does not tell them apart would unpack one over the other.
    pub is_case_told: bool,
}

impl Default for Limits {
    /// Generous for a set of small images: 200,000 entries, 16 MiB each, 1 GiB in all, ratio 100 above 64 KiB.
    fn default() -> Self {
        Self {
            max_entries: 200_000,
            max_entry_bytes: 16 << 20,
            max_total_bytes: 1 << 30,
            max_ratio: 100,
            free_bytes: 64 << 10,
            is_case_told: false,
        }
    }
}

/// Why an archive was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// Not a zip file, or a damaged one.
    #[error("not a readable zip archive: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// More entries than allowed.
    #[error("the archive has {got} entries, more than the limit of {limit}")]
    TooManyEntries {
        /// Entries found.
        got: usize,
        /// [`Limits::max_entries`].
        limit: usize,
    },
    /// A name that could leave the folder it is unpacked to.
    #[error("entry {name:?} is refused: {why}")]
    UnsafeName {
        /// The entry.
        name: String,
        /// What is wrong with its name.
        why: &'static str,
    },
    /// A symbolic link, device or other special file.
    #[error("entry {name:?} is refused: it is a link or a special file")]
    NotAFile {
        /// The entry.
        name: String,
    },
    /// Two entries of one name: which of them is meant depends on the reader.
    #[error("two entries have one name, so that readers take different ones")]
    SameName,
    /// Two entries whose names differ in case alone.
    #[error(
        "entries {first:?} and {second:?} differ in case alone: many systems unpack one over the other"
    )]
    SameButCase {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// An encrypted entry.
    #[error("entry {name:?} is encrypted")]
    Encrypted {
        /// The entry.
        name: String,
    },
    /// More bytes than allowed, by its own declaration.
    #[error(
        "entry {name:?} brings the unpacked size to {got} bytes, more than the limit of {limit}"
    )]
    TooLarge {
        /// The entry.
        name: String,
        /// Bytes of the entry, or of all entries up to it.
        got: u64,
        /// The limit that it breaks.
        limit: u64,
    },
    /// A compression ratio that only a bomb has.
    #[error(
        "entry {name:?} unpacks {packed} bytes to {unpacked}, more than {limit} times: refused as a decompression bomb"
    )]
    Bomb {
        /// The entry at which the limit was passed.
        name: String,
        /// Packed bytes.
        packed: u64,
        /// Declared unpacked bytes.
        unpacked: u64,
        /// [`Limits::max_ratio`].
        limit: u64,
    },
    /// The entry unpacks to another size than it declares.
    #[error("entry {name:?} declares {declared} bytes but unpacks to {got}{}", if got > declared { " or more" } else { "" })]
    WrongSize {
        /// The entry.
        name: String,
        /// Bytes in its header.
        declared: u64,
        /// Bytes that came (counting stops one past the declared size).
        got: u64,
    },
    /// Reading failed, for instance on a wrong CRC.
    #[error("entry {name:?} cannot be read: {source}")]
    Read {
        /// The entry.
        name: String,
        /// The cause.
        source: std::io::Error,
    },
}

/// Opens a zip archive and refuses it as a whole if any entry breaks the rules; nothing is unpacked yet.
///
/// # Errors
/// The first broken rule, naming the entry.
pub fn open<R: Read + Seek>(mut reader: R, limits: &Limits) -> Result<ZipArchive<R>, ArchiveError> {
    let archive_bytes = reader
        .seek(std::io::SeekFrom::End(0))
        .map_err(zip::result::ZipError::from)?;
    let mut archive = ZipArchive::new(reader)?;
    if archive.len() > limits.max_entries {
        return Err(ArchiveError::TooManyEntries {
            got: archive.len(),
            limit: limits.max_entries,
        });
    }
    if archive.has_duplicate_names() {
        return Err(ArchiveError::SameName);
    }
    let mut total = 0_u64;
    let mut known = BTreeMap::new();
    for entry_idx in 0..archive.len() {
        let entry = archive.by_index_raw(entry_idx)?;
        // The raw bytes: decoding must not turn one spelling of a separator into another.
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        check_name(&name)?;
        if !limits.is_case_told
            && let Some(first) = known.insert(name.to_lowercase(), name.clone())
        {
            return Err(ArchiveError::SameButCase {
                first,
                second: name,
            });
        }
        if entry.encrypted() {
            return Err(ArchiveError::Encrypted { name });
        }
        if !is_plain(entry.unix_mode()) {
            return Err(ArchiveError::NotAFile { name });
        }
        let (packed, unpacked) = (entry.compressed_size(), entry.size());
        total = total.saturating_add(unpacked);
        let sizes = [
            (unpacked, limits.max_entry_bytes),
            (total, limits.max_total_bytes),
        ];
        if let Some(&(got, limit)) = sizes.iter().find(|(got, limit)| got > limit) {
            return Err(ArchiveError::TooLarge { name, got, limit });
        }
        let entry_is_bomb =
            unpacked > limits.free_bytes && unpacked > packed.saturating_mul(limits.max_ratio);
        let (packed, unpacked, is_bomb) = if entry_is_bomb {
            (packed, unpacked, true)
        } else {
            let above =
                total > limits.free_bytes && total > archive_bytes.saturating_mul(limits.max_ratio);
            (archive_bytes, total, above)
        };
        if is_bomb {
            return Err(ArchiveError::Bomb {
                name,
                packed,
                unpacked,
                limit: limits.max_ratio,
            });
        }
    }
    Ok(archive)
}

/// Reads one entry, never more than it declares plus one byte.
///
/// # Errors
/// [`ArchiveError::WrongSize`] where header and content differ, [`ArchiveError::Read`] where unpacking fails.
pub fn read<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    entry_idx: usize,
) -> Result<Vec<u8>, ArchiveError> {
    let entry = archive.by_index(entry_idx)?;
    let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
    let declared = entry.size();
    let mut bytes = Vec::with_capacity(usize::try_from(declared.min(1 << 20)).unwrap_or(0));
    if let Err(source) = entry
        .take(declared.saturating_add(1))
        .read_to_end(&mut bytes)
    {
        return Err(ArchiveError::Read { name, source });
    }
    let got = bytes.len() as u64;
    if got == declared {
        Ok(bytes)
    } else {
        Err(ArchiveError::WrongSize {
            name,
            declared,
            got,
        })
    }
}

/// Refuses names that are absolute, climb up, or mean different things on different systems.
///
/// # Errors
/// [`ArchiveError::UnsafeName`].
pub fn check_name(name: &str) -> Result<(), ArchiveError> {
    let bytes = name.as_bytes();
    let why = if name.is_empty() {
        "the name is empty"
    } else if name.contains('\0') {
        "the name holds a zero byte"
    } else if name.starts_with('/') || name.starts_with('\\') {
        "the path is absolute"
    } else if bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' {
        "the path names a drive"
    } else if name.split(['/', '\\']).any(|part| part == "..") {
        "the path climbs with `..`"
    } else if name.contains('\\') {
        "the path has a backslash"
    } else {
        return Ok(());
    };
    Err(ArchiveError::UnsafeName {
        name: name.to_owned(),
        why,
    })
}

/// Whether a Unix mode (if any is stored) is that of a regular file or folder.
fn is_plain(unix_mode: Option<u32>) -> bool {
    const FORMAT: u32 = 0o170_000;
    const FOLDER: u32 = 0o040_000;
    const FILE: u32 = 0o100_000;
    matches!(unix_mode.unwrap_or(0) & FORMAT, 0 | FOLDER | FILE)
}

#[cfg(test)]
mod tests {
    use super::{ArchiveError, Limits, check_name, open, read};
    use std::io::{Cursor, Write};
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    /// Replaces every occurrence: a zip holds each name twice, in its entry and in its directory.
    fn patch(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let mut n_patched = 0;
        for at in 0..=bytes.len() - from.len() {
            if &bytes[at..at + from.len()] == from {
                bytes[at..at + to.len()].copy_from_slice(to);
                n_patched += 1;
            }
        }
        assert!(n_patched > 0);
        bytes
    }

    fn error_of(bytes: Vec<u8>, limits: &Limits) -> ArchiveError {
        match open(Cursor::new(bytes), limits) {
            Err(error) => error,
            Ok(_) => panic!("the archive was accepted"),
        }
    }

    #[test]
    fn honest_archives_are_read() {
        let bytes = zip_of(&[("a/b.png", b"one"), ("a/c..png", b"")]);
        let mut archive = open(Cursor::new(bytes), &Limits::default()).unwrap();
        assert_eq!(read(&mut archive, 0).unwrap(), b"one");
        assert_eq!(read(&mut archive, 1).unwrap(), b"");
    }

    #[test]
    fn names_that_escape_are_refused() {
        for name in [
            "../x",
            "a/../../x",
            "/etc/x",
            "\\x",
            "C:/x",
            "a\\..\\x",
            "a\\b",
            "",
            "a\0b",
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["a/b", "a..b/c", "N'Ko/character01/"] {
            check_name(name).unwrap();
        }
        for evil in ["../../xx", "/abs/xxx", "a\\..\\..x"] {
            let bytes = patch(
                zip_of(&[("okay/xxx", b"one")]),
                b"okay/xxx",
                evil.as_bytes(),
            );
            let error = error_of(bytes, &Limits::default());
            assert!(
                matches!(&error, ArchiveError::UnsafeName { name, .. } if name == evil),
                "{error}"
            );
        }
    }

    #[test]
    fn links_are_refused() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer
            .add_symlink("link", "/etc/passwd", SimpleFileOptions::default())
            .unwrap();
        let error = error_of(writer.finish().unwrap().into_inner(), &Limits::default());
        assert!(
            matches!(&error, ArchiveError::NotAFile { name } if name == "link"),
            "{error}"
        );
    }

    #[test]
    fn two_entries_of_one_name_are_refused() {
        let bytes = zip_of(&[("a/1.png", b"one"), ("a/2.png", b"two")]);
        let error = error_of(patch(bytes, b"a/2.png", b"a/1.png"), &Limits::default());
        assert!(matches!(error, ArchiveError::SameName), "{error}");

        // A folder counts too: what is below it would be merged.
        for (first, second) in [("a/x.png", "a/X.png"), ("Abc/", "aBC/"), ("é", "É")] {
            let bytes = zip_of(&[(first, b""), (second, b"")]);
            let error = error_of(bytes.clone(), &Limits::default()).to_string();
            for name in [first, second] {
                assert!(error.contains(&format!("{name:?}")), "{error}");
            }
            let limits = Limits {
                is_case_told: true,
                ..Limits::default()
            };
            open(Cursor::new(bytes), &limits).unwrap();
        }
    }

    #[test]
    fn bombs_are_refused_before_unpacking() {
        let zeros = vec![0_u8; 1 << 20];
        let error = error_of(
            zip_of(&[("fine", b"x"), ("bomb", &zeros)]),
            &Limits::default(),
        );
        assert!(
            matches!(&error, ArchiveError::Bomb { name, .. } if name == "bomb"),
            "{error}"
        );

        // Small entries, each under the floor, still add up.
        let small = vec![0_u8; 60 << 10];
        let names: Vec<String> = (0..40).map(|i| format!("{i}")).collect();
        let entries: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &small[..])).collect();
        assert!(matches!(
            error_of(zip_of(&entries), &Limits::default()),
            ArchiveError::Bomb { .. }
        ));

        let limits = Limits {
            free_bytes: 4 << 20,
            ..Limits::default()
        };
        open(Cursor::new(zip_of(&entries)), &limits).unwrap();
        open(Cursor::new(zip_of(&[("blank", &zeros)])), &limits).unwrap();
        let larger = vec![0_u8; (4 << 20) + 1];
        assert!(matches!(
            error_of(zip_of(&[("bomb", &larger)]), &limits),
            ArchiveError::Bomb { .. }
        ));

        let limits = Limits {
            max_entries: 39,
            ..Limits::default()
        };
        assert!(matches!(
            error_of(zip_of(&entries), &limits),
            ArchiveError::TooManyEntries { got: 40, .. }
        ));
        let limits = Limits {
            max_entry_bytes: 1000,
            ..Limits::default()
        };
        assert!(matches!(
            error_of(zip_of(&entries), &limits),
            ArchiveError::TooLarge { .. }
        ));
        let limits = Limits {
            max_total_bytes: 100_000,
            ..Limits::default()
        };
        assert!(matches!(
            error_of(zip_of(&entries), &limits),
            ArchiveError::TooLarge { got: 122_880, .. }
        ));
    }

    #[test]
    fn a_lying_size_is_found_while_reading() {
        // 3000 zeros declared as 3: the size field is patched in the entry and in the directory.
        let bytes = zip_of(&[("liar", &[0; 3000])]);
        let bytes = patch(bytes, &3000_u32.to_le_bytes(), &3_u32.to_le_bytes());
        let mut archive = open(Cursor::new(bytes), &Limits::default()).unwrap();
        // The unpacker of today refuses by itself; our own count stands behind it.
        let error = read(&mut archive, 0).unwrap_err();
        assert!(error.to_string().contains("\"liar\""), "{error}");
    }

    #[test]
    fn damage_is_an_error() {
        assert!(matches!(
            error_of(b"no zip at all".to_vec(), &Limits::default()),
            ArchiveError::Zip(_)
        ));
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let stored =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file("a", stored).unwrap();
        writer.write_all(b"payload").unwrap();
        let bytes = patch(
            writer.finish().unwrap().into_inner(),
            b"payload",
            b"PAYLOAD",
        );
        let mut archive = open(Cursor::new(bytes), &Limits::default()).unwrap();
        assert!(matches!(
            read(&mut archive, 0),
            Err(ArchiveError::Read { .. })
        ));
    }
}
