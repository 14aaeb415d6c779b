//! Groups of images: the units of parallel work.

use rayon::prelude::*;

use crate::fused::geometry::GROUP;

pub(in crate::fused) fn groups<E: Sync>(
    values: &[E],
    image_len: usize,
) -> rayon::slice::Chunks<'_, E> {
    values.par_chunks(GROUP * image_len)
}

pub(in crate::fused) fn groups_mut<E: Send>(
    values: &mut [E],
    image_len: usize,
) -> rayon::slice::ChunksMut<'_, E> {
    values.par_chunks_mut(GROUP * image_len)
}

/// The groups of `values`, or as many times nothing.
pub(in crate::fused) fn optional_groups<E: Sync>(
    values: Option<&[E]>,
    image_len: usize,
    n: usize,
) -> Vec<Option<&[E]>> {
    match values {
        Some(values) => values.chunks(GROUP * image_len).map(Some).collect(),
        None => vec![None; n.div_ceil(GROUP)],
    }
}

/// The groups of `values`, or as many times nothing if it is empty.
pub(in crate::fused) fn optional_groups_mut<E: Send>(
    values: &mut [E],
    image_len: usize,
    n: usize,
) -> Vec<Option<&mut [E]>> {
    if values.is_empty() {
        return (0..n.div_ceil(GROUP)).map(|_| None).collect();
    }
    values.chunks_mut(GROUP * image_len).map(Some).collect()
}
