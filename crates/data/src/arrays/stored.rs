//! Images as arrays hold them, before they have classes.

use std::sync::Arc;

use crate::channels::luma;
use crate::picture::{Picture, is_coloured};

/// Some bytes of a file or of an entry of an archive.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) owner: Arc<Vec<u8>>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Piece {
    pub(super) fn whole(bytes: Vec<u8>) -> Self {
        let end = bytes.len();
        Self {
            owner: Arc::new(bytes),
            start: 0,
            end,
        }
    }

    pub(super) fn part(&self, start: usize, length: usize) -> Self {
        Self {
            owner: Arc::clone(&self.owner),
            start: self.start + start,
            end: self.start + start + length,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.owner[self.start..self.end]
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
    pub(super) fn bytes(&self) -> &[u8] {
        let (Self::Raw(piece, _) | Self::Encoded(piece)) = self;
        piece.bytes()
    }

    pub(super) fn n_bytes(&self) -> u64 {
        self.bytes().len() as u64
    }
}
