//! Hashes of files, as lower-case hex.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use md5::{Digest, Md5};
use sha2::Sha256;

use super::FetchError;
use crate::digest::hex;

/// MD5 and SHA-256 of a file, and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileHashes {
    pub(crate) bytes: u64,
    pub(crate) md5: String,
    pub(crate) sha256: String,
}

/// Both hashes in one pass.
pub(crate) fn of_file(path: &Path) -> Result<FileHashes, FetchError> {
    let file = File::open(path).map_err(FetchError::io("open", path))?;
    let mut reader = BufReader::new(file);
    let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
    let mut buffer = vec![0_u8; 1 << 16];
    let mut bytes = 0;
    loop {
        let n_read = reader
            .read(&mut buffer)
            .map_err(FetchError::io("read", path))?;
        if n_read == 0 {
            break;
        }
        md5.update(&buffer[..n_read]);
        sha256.update(&buffer[..n_read]);
        bytes += n_read as u64;
    }
    Ok(FileHashes {
        bytes,
        md5: hex(&md5.finalize()),
        sha256: hex(&sha256.finalize()),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn published_values() {
        // RFC 1321 appendix A.5 and FIPS 180-2 appendix B.1, both for "abc".
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"abc").unwrap();
        let hashes = super::of_file(file.path()).unwrap();
        assert_eq!(hashes.bytes, 3);
        assert_eq!(hashes.md5, "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            hashes.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
