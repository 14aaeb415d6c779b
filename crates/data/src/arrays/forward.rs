//! A file of known length that is read forward, with the place where it is read.

use std::io::{self, BufRead, Read as _};

use super::source::{shorter, skip_some};

/// Reads forward. Every function refuses what would lie beyond the end of the file before it reads or allocates, and says so if the
/// file turns out to be shorter.
pub(super) struct Forward<'f> {
    file: &'f mut dyn BufRead,
    n_bytes: u64,
    at: u64,
}

impl<'f> Forward<'f> {
    pub(super) fn new(file: &'f mut dyn BufRead, n_bytes: u64) -> Self {
        Self {
            file,
            n_bytes,
            at: 0,
        }
    }

    /// How many bytes were read.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Refuses a length beyond the end before anything is read or allocated for it.
    fn check_there(&self, n_bytes: u64) -> Result<(), String> {
        let end = self.at.checked_add(n_bytes);
        let end = end.filter(|end| *end <= self.n_bytes);
        end.map(drop)
            .ok_or_else(|| "the file ends too early".into())
    }

    pub(super) fn skip(&mut self, n_bytes: u64) -> Result<(), String> {
        self.check_there(n_bytes)?;
        self.at += n_bytes;
        let mut left = n_bytes;
        while left > 0 {
            let skipped = skip_some(self.file, left)?;
            if skipped == 0 {
                return Err(shorter(self.n_bytes));
            }
            left -= skipped;
        }
        Ok(())
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.check_there(bytes.len() as u64)?;
        self.at += bytes.len() as u64;
        self.file.read_exact(bytes).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                shorter(self.n_bytes)
            } else {
                error.to_string()
            }
        })
    }

    pub(super) fn take(&mut self, n_bytes: usize) -> Result<Vec<u8>, String> {
        self.check_there(n_bytes as u64)?;
        let mut bytes = vec![0; n_bytes];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn long_length(&mut self) -> Result<usize, String> {
        let length = u64::from_le_bytes(self.array()?);
        usize::try_from(length).map_err(|error| error.to_string())
    }

    pub(super) fn line_of_bytes(&mut self) -> Result<Vec<u8>, String> {
        let mut line = Vec::new();
        let left = self.n_bytes.saturating_sub(self.at);
        let mut within = (&mut *self.file).take(left);
        let read = within.read_until(b'\n', &mut line);
        self.at += read.map_err(|error| error.to_string())? as u64;
        if line.pop() == Some(b'\n') {
            Ok(line)
        } else {
            Err("a line without an end".into())
        }
    }

    pub(super) fn line(&mut self) -> Result<String, String> {
        let line = String::from_utf8(self.line_of_bytes()?);
        let line = line.map_err(|error| error.utf8_error().to_string())?;
        Ok(line.trim_end_matches('\r').to_owned())
    }
}
