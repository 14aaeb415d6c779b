//! From single pictures with their classes to a data set: channels and paper are settled by a look at all of them, then each is
//! decoded and resized.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use crate::dataset::ClassImages;
use crate::picture::{Picture, Reading, Ring, Survey};
use crate::receipt::{Decoding, Header};
use crate::{Channels, DataError, Dataset, Paper, guard};

/// The alphabet of classes that are in none.
const NO_ALPHABET: &str = ".";

/// One picture, wherever it is stored.
pub(crate) trait Entry: Sync {
    /// The name of its class; what stands before the last `/` is its alphabet.
    fn class(&self) -> &str;
    /// How it is stored.
    fn header(&self) -> Result<Header, DataError>;
    /// What has to be known of it beforehand.
    fn survey(&self) -> Result<Survey, DataError>;
    /// The picture itself.
    fn picture(&self, channels: usize, on_black: bool) -> Result<Picture, DataError>;
}

/// The data set of entries that are sorted by their classes.
///
/// # Errors
/// Those of the entries, and [`DataError::Malformed`] for a data set that is too large.
pub(crate) fn dataset<E: Entry>(
    name: &str,
    entries: &[E],
    reading: Reading,
) -> Result<Dataset, DataError> {
    let Reading { size, ink, .. } = reading;
    let surveyed = survey(entries, reading)?;
    let channels = surveyed.channels;
    // What the files hold in all is not known; their number alone may be too much.
    guard::dataset(entries.len(), size, channels, u64::MAX).map_err(|problem| {
        DataError::malformed(Path::new(name), problem, "choose a smaller data.size")
    })?;
    let n_values = size.n_pixels() * channels;
    let mut classes = Vec::new();
    let mut rings = Vec::with_capacity(entries.len());
    let mut n_colour = 0;
    for of_class in entries.chunk_by(|a, b| a.class() == b.class()) {
        let mut pixels = vec![0_u8; of_class.len() * n_values];
        let seen = pixels
            .par_chunks_exact_mut(n_values)
            .zip(of_class)
            .map(|(out, entry)| {
                let picture = entry.picture(channels, surveyed.is_on_black)?;
                picture.resize(size, out);
                let ring = Ring::of(&picture.pixels, picture.height, picture.width);
                Ok((ring, picture.has_colour))
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        n_colour += seen.iter().filter(|(_, has_colour)| *has_colour).count();
        rings.extend(seen.into_iter().map(|(ring, _)| ring));
        let class = of_class[0].class();
        let alphabet = class.rsplit_once('/');
        classes.push(ClassImages {
            name: class.to_owned(),
            alphabet: alphabet
                .map_or(NO_ALPHABET, |(alphabet, _)| alphabet)
                .to_owned(),
            pixels,
        });
    }
    let mut dataset = Dataset::from_colour_classes(name, size, channels, classes)?;
    let (sum, n_pixels) = rings
        .iter()
        .fold((0, 0), |(sum, n), ring| (sum + ring.sum, n + ring.n_pixels));
    let is_inverted = ink.is_dark(channels, rings);
    dataset.decoding = Some(Decoding {
        is_inverted,
        ring_mean: u8::try_from(sum / n_pixels.max(1)).unwrap_or(u8::MAX),
        n_colour,
        ..surveyed
    });
    if is_inverted {
        dataset
            .pixels
            .par_iter_mut()
            .for_each(|byte| *byte = 255 - *byte);
    }
    Ok(dataset)
}

/// Number of channels and paper, by a look at the pictures where these are to decide.
fn survey<E: Entry>(entries: &[E], reading: Reading) -> Result<Decoding, DataError> {
    let found_colour = AtomicBool::new(false);
    let looks_for_colour = reading.channels == Channels::Auto;
    let looks_at_paper = reading.paper == Paper::Auto;
    let vanishing = entries
        .par_iter()
        .map(|entry| {
            let header = entry.header()?;
            // One picture in colour settles the channels; only transparent ones have to do with paper.
            let may_decide =
                looks_for_colour && header.is_colour() && !found_colour.load(Ordering::Relaxed);
            if !(may_decide || looks_at_paper && header.has_alpha) {
                return Ok([false; 2]);
            }
            let found = entry.survey()?;
            if found.has_colour {
                found_colour.store(true, Ordering::Relaxed);
            }
            Ok(found.vanishes)
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    let n_vanishing = [0, 1].map(|paper| vanishing.iter().filter(|of| of[paper]).count());
    let has_colour = found_colour.into_inner();
    let found = if has_colour { 3 } else { 1 };
    Ok(Decoding {
        channels: reading.channels.number().unwrap_or(found),
        is_on_black: reading.paper.is_black(n_vanishing),
        n_vanishing: if looks_at_paper { n_vanishing } else { [0; 2] },
        ..Decoding::default()
    })
}
