//! NPZ: a zip archive of NPY files. Header of NPY: Python's `numpy/lib/format.py`.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use npyz::{DType, NpyHeader, Order};

use super::meaning::{self, Numbers};
use super::stored::{Labelled, Piece};
use crate::archive::{self, Limits};

/// Arrays are one entry each, and as large as a data set. Sorted labels of eight bytes are packed 500 times and more, so ratios are
/// looked at only where an array, or all of them, would take more than 64 MiB.
const LIMITS: Limits = Limits {
    max_entries: 1000,
    max_entry_bytes: 16 << 30,
    max_total_bytes: 16 << 30,
    max_ratio: 200,
    free_bytes: 64 << 20,
    // `np.savez(file, X=images, x=other)` is nothing odd.
    is_case_told: true,
};

/// Every pair of images and labels of an archive. The entries are unpacked one by one, and the archive itself stays where it is.
pub(super) fn read(file: impl Read + Seek) -> Result<Vec<Labelled>, String> {
    let mut archive = archive::open(file, &LIMITS).map_err(|error| error.to_string())?;
    let mut arrays = BTreeMap::new();
    for entry_idx in 0..archive.len() {
        let name = archive.name_for_index(entry_idx).and_then(Result::ok);
        let name = name.unwrap_or_default().into_owned();
        let Some(name) = name.strip_suffix(".npy") else {
            continue;
        };
        let bytes = archive::read(&mut archive, entry_idx).map_err(|error| error.to_string())?;
        let array = array(bytes).map_err(|problem| format!("array `{name}`: {problem}"))?;
        arrays.insert(name.to_owned(), array);
    }
    meaning::of_arrays(arrays)
}

fn array(bytes: Vec<u8>) -> Result<Numbers, String> {
    let mut rest = bytes.as_slice();
    let header = NpyHeader::from_reader(&mut rest).map_err(|error| error.to_string())?;
    let start = bytes.len() - rest.len();
    let DType::Plain(kind) = header.dtype() else {
        return Err("its type has fields".into());
    };
    let kind = kind.to_string();
    if header.order() == Order::Fortran && header.shape().len() > 1 {
        return Err("it is stored in the order of Fortran".into());
    }
    let lengths = header.shape().iter().map(|length| usize::try_from(*length));
    let shape = lengths
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let whole = Piece::whole(bytes);
    Ok(Numbers {
        dtype: kind,
        shape,
        data: whole.part(start, whole.n_bytes() - start),
    })
}
