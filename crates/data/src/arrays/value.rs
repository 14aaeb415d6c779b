//! The values of a pickle.

use std::sync::Arc;

/// A place in the list of values: lists and dicts are filled after they were noted, so values refer to each other by place.
pub(super) type Id = usize;

/// A value of a pickle.
#[derive(Clone, Debug)]
pub(super) enum Value {
    None,
    /// Also `True` and `False`.
    Int(i64),
    /// A number with a point, which no image and no label is.
    Float,
    Bytes(Bytes),
    Text(String),
    /// Lists and tuples.
    List(Vec<Id>),
    /// Keys and values.
    Dict(Vec<(Id, Id)>),
    /// A numpy array, once its state was read.
    Array(Array),
    /// A type of numpy's, e.g. `u1`.
    Dtype(String),
    /// One of the names that are known.
    Global(Global),
    /// Where a list, tuple or dict begins on the stack.
    Mark,
}

/// A string of bytes.
#[derive(Clone, Debug)]
pub(super) enum Bytes {
    /// A long one: where it lies in the file, which is read when it is needed.
    InFile { start: u64, n_bytes: u64 },
    /// A short one, or one that was stored as text.
    Kept(Arc<Vec<u8>>),
}

impl Bytes {
    /// The bytes themselves; none of a long string, which is no name and no number.
    pub(super) fn kept(&self) -> Option<&[u8]> {
        match self {
            Self::InFile { .. } => None,
            Self::Kept(bytes) => Some(bytes),
        }
    }

    pub(super) fn n_bytes(&self) -> u64 {
        match self {
            Self::InFile { n_bytes, .. } => *n_bytes,
            Self::Kept(bytes) => bytes.len() as u64,
        }
    }
}

/// A numpy array.
#[derive(Clone, Debug, Default)]
pub(super) struct Array {
    /// Type without byte order, e.g. `u1`; empty until its state was read.
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    pub(super) data: Option<Bytes>,
    /// The values of an array of objects.
    pub(super) objects: Option<Vec<Id>>,
}

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    Reconstruct,
    FromBuffer,
    Ndarray,
    Dtype,
    Scalar,
    Encode,
    OrderedDict,
}

impl Global {
    pub(super) fn of(module: &str, name: &str) -> Option<Self> {
        let module = module.replace("numpy._core", "numpy.core");
        Some(match (module.as_str(), name) {
            ("numpy.core.multiarray", "_reconstruct") => Self::Reconstruct,
            ("numpy.core.numeric", "_frombuffer") => Self::FromBuffer,
            ("numpy", "ndarray") => Self::Ndarray,
            ("numpy", "dtype") => Self::Dtype,
            ("numpy.core.multiarray", "scalar") => Self::Scalar,
            ("_codecs", "encode") => Self::Encode,
            ("collections", "OrderedDict") => Self::OrderedDict,
            _ => return None,
        })
    }
}

/// A whole number of a numpy type without its byte order, low byte first; none of another type or length.
pub(super) fn whole(dtype: &str, bytes: &[u8]) -> Option<i64> {
    let dtype = dtype.trim_start_matches(['<', '|', '=']);
    let is_whole = matches!(
        dtype,
        "u1" | "u2" | "u4" | "u8" | "i1" | "i2" | "i4" | "i8" | "b1"
    );
    let width: usize = dtype.get(1..)?.parse().ok()?;
    if !is_whole || bytes.len() != width {
        return None;
    }
    Some(widened(bytes, dtype.starts_with('i')))
}

/// A whole number of at most eight bytes, low byte first; with a sign in two's complement.
pub(super) fn widened(bytes: &[u8], is_signed: bool) -> i64 {
    let is_negative = is_signed && bytes.last().is_some_and(|high| *high >= 0x80);
    let mut wide = if is_negative { [0xff; 8] } else { [0; 8] };
    wide[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(wide)
}

/// What messages call a value.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::None => "None",
        Value::Int(_) => "a whole number",
        Value::Float => "a number",
        Value::Bytes(_) => "a string of bytes",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
        Value::Dict(_) => "a dict",
        Value::Array(_) => "an array",
        Value::Dtype(_) => "a type",
        Value::Global(_) => "a name",
        Value::Mark => "a mark",
    }
}
