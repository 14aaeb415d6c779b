//! What a table is made of: columns that say what they hold and know how to take it from a run.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::subject::Subject;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'s> {
    /// Nothing was measured, or nothing finite came out.
    Absent,
    Count(u64),
    Number(f64),
    Flag(bool),
    Text(Cow<'s, str>),
}

/// What the cells of a column are, where they are not absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Count,
    Number,
    Flag,
    Text,
}

/// A cell of a run: the row is named by two numbers, whose meaning is the table's.
pub(crate) type Cell = for<'s> fn(&'s Subject, Row) -> Value<'s>;

/// Row of a table within one run: the tables are grids, such as tasks by queries.
pub(crate) type Row = [usize; 2];

/// One column. The writers and the documentation are made from the same list of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Empty for names, flags and plain counts.
    pub(crate) unit: &'static str,
    pub(crate) about: &'static str,
    pub(crate) cell: Cell,
}

impl Column {
    pub(crate) const fn text(name: &'static str, about: &'static str, cell: Cell) -> Self {
        Self::new(name, Kind::Text, "", about, cell)
    }

    pub(crate) const fn flag(name: &'static str, about: &'static str, cell: Cell) -> Self {
        Self::new(name, Kind::Flag, "", about, cell)
    }

    pub(crate) const fn count(
        name: &'static str,
        unit: &'static str,
        about: &'static str,
        cell: Cell,
    ) -> Self {
        Self::new(name, Kind::Count, unit, about, cell)
    }

    pub(crate) const fn number(
        name: &'static str,
        unit: &'static str,
        about: &'static str,
        cell: Cell,
    ) -> Self {
        Self::new(name, Kind::Number, unit, about, cell)
    }

    const fn new(
        name: &'static str,
        kind: Kind,
        unit: &'static str,
        about: &'static str,
        cell: Cell,
    ) -> Self {
        Self {
            name,
            kind,
            unit,
            about,
            cell,
        }
    }
}

impl From<usize> for Value<'_> {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<u64> for Value<'_> {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        // JSON has no other numbers, and the formats are to say the same.
        if number.is_finite() {
            Self::Number(number)
        } else {
            Self::Absent
        }
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<'s> From<&'s str> for Value<'s> {
    fn from(text: &'s str) -> Self {
        Self::Text(text.into())
    }
}

impl<'s> From<&'s String> for Value<'s> {
    fn from(text: &'s String) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl<'s, T: Into<Self>> From<Option<T>> for Value<'s> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Absent, Into::into)
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_none(),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}
