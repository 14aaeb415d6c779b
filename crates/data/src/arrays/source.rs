//! A file that is read twice: once from its beginning to its end, then by ranges.
//!
//! The first pass hands its bytes on through one small buffer and takes their digest on the way; whoever reads notes where the large
//! strings of bytes lie and skips them. The second pass reads those that are needed, each when it is needed.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

/// Bytes of the buffer of the first pass.
const BUFFER: usize = 64 << 10;

/// What is read: a file, or bytes in memory.
pub(super) trait Readable: Read + Seek + Send {}

impl<R: Read + Seek + Send> Readable for R {}

/// A file that is open, with its length. It stays open as long as an image refers to it: a folder may have as many pickles as a process
/// may have files.
pub(super) struct Source {
    /// One position for all threads: reading a range moves there first.
    inner: Mutex<Box<dyn Readable>>,
    n_bytes: u64,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({} bytes)", self.n_bytes)
    }
}

impl Source {
    pub(super) fn new(mut inner: impl Readable + 'static) -> io::Result<Self> {
        let n_bytes = inner.seek(SeekFrom::End(0))?;
        Ok(Self {
            inner: Mutex::new(Box::new(inner)),
            n_bytes,
        })
    }

    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::new(File::open(path)?)
    }

    /// The first pass: `read` gets the bytes and how many there are; `hasher` gets their number (little-endian `u64`) and all of
    /// them, also those that `read` leaves.
    ///
    /// # Errors
    /// Those of `read`; a sentence if the file cannot be read or has another length by now.
    pub(super) fn stream<T>(
        &self,
        hasher: &mut Sha256,
        read: impl FnOnce(&mut dyn BufRead, u64) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.rewind().map_err(|error| error.to_string())?;
        hasher.update(self.n_bytes.to_le_bytes());
        let hashed = Hashed {
            inner: &mut *inner,
            hasher,
            n_bytes: 0,
        };
        let mut stream = BufReader::with_capacity(BUFFER, hashed);
        let result = read(&mut stream, self.n_bytes)?;
        while skip_some(&mut stream, u64::MAX)? > 0 {}
        let n_read = stream.get_ref().n_bytes;
        if n_read == self.n_bytes {
            Ok(result)
        } else {
            Err(changed(self.n_bytes, n_read))
        }
    }

    /// Bytes of the second pass.
    ///
    /// # Errors
    /// A sentence if they cannot be read, or are not there any more.
    pub(super) fn range(&self, start: u64, n_bytes: usize) -> Result<Vec<u8>, String> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let sought = inner.seek(SeekFrom::Start(start));
        sought.map_err(|error| error.to_string())?;
        let mut bytes = vec![0; n_bytes];
        inner.read_exact(&mut bytes).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                shorter(self.n_bytes)
            } else {
                error.to_string()
            }
        })?;
        Ok(bytes)
    }
}

/// What is said where a file has fewer bytes than it had.
pub(super) fn shorter(before: u64) -> String {
    format!("the file had {before} bytes and is shorter now: it changed while it was read")
}

fn changed(before: u64, now: u64) -> String {
    format!("the file had {before} bytes and has {now} now: it changed while it was read")
}

/// Skips what lies in the buffer, at most so many bytes; 0 at the end.
///
/// # Errors
/// A sentence if the file cannot be read.
pub(super) fn skip_some(stream: &mut dyn BufRead, most: u64) -> Result<u64, String> {
    let there = loop {
        match stream.fill_buf() {
            Ok(bytes) => break bytes.len(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    };
    let skipped = usize::try_from(most).unwrap_or(usize::MAX).min(there);
    stream.consume(skipped);
    Ok(skipped as u64)
}

/// Hands on what it reads, and takes its digest.
struct Hashed<'s> {
    inner: &'s mut dyn Readable,
    hasher: &'s mut Sha256,
    n_bytes: u64,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Whoever asks for more gets it in pieces: nobody needs a second large buffer.
        let most = buffer.len().min(BUFFER);
        let n_read = self.inner.read(&mut buffer[..most])?;
        self.hasher.update(&buffer[..n_read]);
        self.n_bytes += n_read as u64;
        Ok(n_read)
    }
}

/// Length and time of the last change of a file: where both are the same after all was read, so is the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    n_bytes: u64,
    /// None where the file system does not tell.
    modified: Option<SystemTime>,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            n_bytes: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}
