//! One message as bytes: the length of the header (`u32`), the length of the payload (`u64`), both little-endian, the header as
//! a JSON object, the payload (safetensors, or nothing).
//!
//! A learner on the other side is one user of it; an environment that answers batches of actions would be another.

use std::io::{BufReader, ErrorKind, Read};

use serde_json::{Map, Value};
use thiserror::Error;

/// Most bytes of a header.
pub const MOST_HEADER: u32 = 1 << 20;

/// Bytes before the header.
const PREFIX: usize = 12;

/// What text is shown of a stream that is not frames.
const SHOWN: usize = 80;

/// One message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// What is said.
    pub header: Map<String, Value>,
    /// Tensors; may be empty.
    pub payload: Vec<u8>,
}

/// Bytes that are no frame.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Something else is written to the stream.
    #[error("bad frame at byte {at}: looks like text: {text:?}")]
    Text {
        /// Bytes of the stream before it.
        at: u64,
        /// Its beginning.
        text: String,
    },
    /// A length beyond its bound; nothing was allocated.
    #[error("bad frame at byte {at}: a {part} of {n_bytes} bytes, and at most {most} can be right")]
    TooLong {
        /// Bytes of the stream before it.
        at: u64,
        /// Header or payload.
        part: &'static str,
        /// Length said.
        n_bytes: u64,
        /// Bound.
        most: u64,
    },
    /// The stream ended within a frame.
    #[error("the stream ended within the frame at byte {at}")]
    Cut {
        /// Bytes of the stream before it.
        at: u64,
    },
    /// A header that is no JSON object.
    #[error("the header of the frame at byte {at} is no JSON object: {problem}")]
    Header {
        /// Bytes of the stream before it.
        at: u64,
        /// What the parser says.
        problem: String,
    },
    /// The stream cannot be read.
    #[error("the stream cannot be read: {problem}")]
    Stream {
        /// What the system says.
        problem: String,
    },
}

impl Frame {
    /// A message without tensors.
    #[must_use]
    pub fn of(header: Map<String, Value>) -> Self {
        Self {
            header,
            payload: Vec::new(),
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] for a header beyond its bound.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FrameError> {
        let (mut bytes, payload) = self.clone().into_parts()?;
        bytes.extend(payload);
        Ok(bytes)
    }

    /// What stands before its payload, and its payload, which is not copied.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] for a header beyond its bound.
    pub fn into_parts(self) -> Result<(Vec<u8>, Vec<u8>), FrameError> {
        let header = serde_json::to_vec(&self.header).map_err(|error| FrameError::Header {
            at: 0,
            problem: error.to_string(),
        })?;
        let n_header = u32::try_from(header.len()).unwrap_or(u32::MAX);
        within("header", 0, n_header.into(), MOST_HEADER.into())?;
        let mut bytes = Vec::with_capacity(PREFIX + header.len());
        bytes.extend(n_header.to_le_bytes());
        bytes.extend((self.payload.len() as u64).to_le_bytes());
        bytes.extend(header);
        Ok((bytes, self.payload))
    }
}

/// Frames out of a stream, one after the other.
#[derive(Debug)]
pub struct Frames<R> {
    input: BufReader<R>,
    /// Bytes read.
    at: u64,
}

impl<R: Read> Frames<R> {
    /// Of a stream.
    pub fn new(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(1 << 16, input),
            at: 0,
        }
    }

    /// The next frame, of which the payload has at most `most_payload` bytes; none where the stream ends between two.
    /// `most_payload` is asked when the length is there, since the bound may depend on a question sent meanwhile.
    ///
    /// # Errors
    /// [`FrameError`]; the stream is then of no further use.
    pub fn next(&mut self, most_payload: impl Fn() -> u64) -> Result<Option<Frame>, FrameError> {
        let at = self.at;
        let mut length = [0; 4];
        match self.input.read(&mut length[..1]) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return self.next(most_payload),
            Err(error) => return Err(broken(&error)),
        }
        self.fill(at, &mut length[1..])?;
        let n_header = u32::from_le_bytes(length);
        if n_header > MOST_HEADER
            && let Some(text) = self.text(length)
        {
            return Err(FrameError::Text { at, text });
        }
        within("header", at, n_header.into(), MOST_HEADER.into())?;
        let mut length = [0; 8];
        self.fill(at, &mut length)?;
        let n_payload = u64::from_le_bytes(length);
        within("payload", at, n_payload, most_payload())?;
        let mut header = vec![0; n_header as usize];
        self.fill(at, &mut header)?;
        let header = serde_json::from_slice(&header).map_err(|error| FrameError::Header {
            at,
            problem: error.to_string(),
        })?;
        let size = usize::try_from(n_payload).map_err(|_| FrameError::TooLong {
            at,
            part: "payload",
            n_bytes: n_payload,
            most: usize::MAX as u64,
        })?;
        let mut payload = vec![0; size];
        self.fill(at, &mut payload)?;
        self.at = at + PREFIX as u64 + u64::from(n_header) + n_payload;
        Ok(Some(Frame { header, payload }))
    }

    fn fill(&mut self, at: u64, bytes: &mut [u8]) -> Result<(), FrameError> {
        self.input
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => FrameError::Cut { at },
                _ => broken(&error),
            })
    }

    /// Four bytes and what was read behind them, if that is text.
    fn text(&self, begin: [u8; 4]) -> Option<String> {
        let mut bytes = begin.to_vec();
        bytes.extend(self.input.buffer().iter().take(SHOWN - begin.len()));
        let text = String::from_utf8_lossy(&bytes);
        let is_text = |c: char| !c.is_control() || c.is_whitespace();
        let first = String::from_utf8_lossy(&begin);
        first
            .chars()
            .all(|c| is_text(c) && c != '\u{fffd}')
            .then(|| {
                text.chars()
                    .take_while(|c| is_text(*c) && *c != '\u{fffd}')
                    .collect()
            })
    }
}

fn broken(error: &std::io::Error) -> FrameError {
    FrameError::Stream {
        problem: error.to_string(),
    }
}

fn within(part: &'static str, at: u64, n_bytes: u64, most: u64) -> Result<(), FrameError> {
    if n_bytes <= most {
        return Ok(());
    }
    Err(FrameError::TooLong {
        at,
        part,
        n_bytes,
        most,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Frame {
        let mut header = Map::new();
        header.insert("type".to_owned(), "ready".into());
        Frame {
            header,
            payload: vec![1, 2, 3],
        }
    }

    fn read(bytes: &[u8], most: u64) -> Result<Option<Frame>, FrameError> {
        Frames::new(bytes).next(|| most)
    }

    #[test]
    fn what_is_written_is_read_and_the_layout_is_that_of_the_documents() {
        let bytes = example().to_bytes().unwrap();
        assert_eq!(bytes[..4], 16_u32.to_le_bytes());
        assert_eq!(bytes[4..12], 3_u64.to_le_bytes());
        assert_eq!(&bytes[12..28], br#"{"type":"ready"}"#);
        let twice = [bytes.clone(), bytes].concat();
        let mut frames = Frames::new(&*twice);
        for _ in 0..2 {
            assert_eq!(frames.next(|| 3).unwrap().unwrap(), example());
        }
        assert!(frames.next(|| 3).unwrap().is_none());
    }

    #[test]
    fn every_cut_is_found_and_every_flipped_bit_is_an_error_or_another_frame() {
        let bytes = example().to_bytes().unwrap();
        assert!(read(&[], 3).unwrap().is_none());
        for n in 1..bytes.len() {
            assert!(read(&bytes[..n], 3).is_err(), "{n} bytes");
        }
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped, 3).map_or(true, |frame| frame != Some(example())));
        }
    }

    #[test]
    fn lengths_are_refused_before_they_are_allocated() {
        let mut bytes = example().to_bytes().unwrap();
        bytes[4..12].copy_from_slice(&u64::MAX.to_le_bytes());
        let error = read(&bytes, 1000).unwrap_err().to_string();
        assert!(
            error.contains("a payload of 18446744073709551615 bytes, and at most 1000"),
            "{error}"
        );
        bytes[..4].copy_from_slice(&[0xff, 0xfe, 0xff, 0x7f]);
        let error = read(&bytes, 1000).unwrap_err().to_string();
        assert!(error.contains("a header of 2147483391 bytes"), "{error}");
    }

    #[test]
    fn text_is_told_as_text() {
        let error = read(b"Epoch 1: loss 0.3\n", 10).unwrap_err().to_string();
        assert_eq!(
            error,
            "bad frame at byte 0: looks like text: \"Epoch 1: loss 0.3\\n\""
        );
        let error = read(b"hi\n\x10\0\0\0", 10).unwrap_err().to_string();
        assert!(error.contains("bad frame at byte 0"), "{error}");
        let error = read(br#"        {"type": 1}"#, 10).unwrap_err().to_string();
        assert!(error.contains("looks like text"), "{error}");
    }
}
