//! Images as arrays hold them, before they have classes.

use std::borrow::Cow;
use std::sync::Arc;

use super::source::Source;
use crate::channels::luma;
use crate::picture::{Picture, is_coloured};

/// Some bytes of a file, or of what is in memory.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// They are read when they are asked for.
    InFile {
        file: Arc<Source>,
        start: u64,
        n_bytes: usize,
    },
    /// As an archive unpacks to.
    InMemory {
        owner: Arc<Vec<u8>>,
        start: usize,
        n_bytes: usize,
    },
}

impl Piece {
    pub(super) fn whole(bytes: Vec<u8>) -> Self {
        Self::owned(Arc::new(bytes))
    }

    pub(super) fn owned(owner: Arc<Vec<u8>>) -> Self {
        Self::InMemory {
            n_bytes: owner.len(),
            owner,
            start: 0,
        }
    }

    /// A part that lies within it.
    pub(super) fn part(&self, from: usize, n_bytes: usize) -> Self {
        match self {
            Self::InFile { file, start, .. } => Self::InFile {
                file: Arc::clone(file),
                start: start + from as u64,
                n_bytes,
            },
            Self::InMemory { owner, start, .. } => Self::InMemory {
                owner: Arc::clone(owner),
                start: start + from,
                n_bytes,
            },
        }
    }

    pub(super) fn n_bytes(&self) -> usize {
        match self {
            Self::InFile { n_bytes, .. } | Self::InMemory { n_bytes, .. } => *n_bytes,
        }
    }

    /// The bytes themselves.
    ///
    /// # Errors
    /// A sentence if the file cannot be read, or became shorter.
    pub(super) fn bytes(&self) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Self::InFile {
                file,
                start,
                n_bytes,
            } => file.range(*start, *n_bytes).map(Cow::Owned),
            Self::InMemory {
                owner,
                start,
                n_bytes,
            } => Ok(Cow::Borrowed(&owner[*start..][..*n_bytes])),
        }
    }
}

/// One stored image.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    /// Bytes of pixels.
    Raw(Piece, Layout),
    /// A picture in a format of files.
    Encoded(Piece),
}

/// How the pixels of a raw image lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    /// Whether a channel lies after the other, not beside it.
    pub(super) is_planar: bool,
}

/// Images with their labels, as one pair of arrays has them.
pub(super) struct Labelled {
    /// What the arrays or the file call the part.
    pub(super) part: Option<String>,
    pub(super) images: Vec<Stored>,
    pub(super) labels: Vec<String>,
}

impl Layout {
    pub(super) fn picture(self, bytes: &[u8], channels: usize) -> Picture {
        let n_pixels = self.height * self.width;
        let colour = |pixel: usize| -> [u8; 3] {
            let value = |channel: usize| {
                if self.is_planar {
                    bytes[channel * n_pixels + pixel]
                } else {
                    bytes[pixel * self.channels + channel]
                }
            };
            match self.channels {
                1 => [value(0); 3],
                _ => [value(0), value(1), value(2)],
            }
        };
        let colours = (0..n_pixels).map(colour);
        let has_colour = colours.clone().any(is_coloured);
        let pixels = match channels {
            1 if self.channels == 1 => bytes.to_vec(),
            1 => colours.map(luma).collect(),
            _ => colours.flatten().collect(),
        };
        Picture {
            height: self.height,
            width: self.width,
            pixels,
            has_colour,
        }
    }
}

impl Stored {
    pub(super) fn piece(&self) -> &Piece {
        let (Self::Raw(piece, _) | Self::Encoded(piece)) = self;
        piece
    }

    pub(super) fn n_bytes(&self) -> u64 {
        self.piece().n_bytes() as u64
    }
}
