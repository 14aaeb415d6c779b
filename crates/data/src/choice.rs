//! Settings that are one of a few named values: the list of names is the only place where a name stands.

use crate::DataError;

/// The written name of a value; empty for one that is not on the list, which is a mistake in the list.
pub(crate) fn name_of<T: PartialEq>(all: &[(&'static str, T)], value: &T) -> &'static str {
    let line = all.iter().find(|(_, known)| known == value);
    line.map_or("", |(name, _)| name)
}

/// The value of a written name; `kind` is what messages call the setting.
pub(crate) fn named<T: Copy>(
    kind: &'static str,
    all: &[(&'static str, T)],
    name: &str,
) -> Result<T, DataError> {
    let line = all.iter().find(|(known, _)| *known == name);
    line.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|(known, _)| *known).collect();
        DataError::unknown_name(kind, name, &known)
    })
}

#[cfg(test)]
mod tests {
    use crate::{Ink, Paper, Rotations};

    fn check<T>(all: &[(&str, T)])
    where
        T: std::str::FromStr<Err = crate::DataError>
            + std::fmt::Display
            + PartialEq
            + std::fmt::Debug,
        T: serde::Serialize,
    {
        for (name, value) in all {
            assert_eq!(value.to_string(), *name);
            assert_eq!(name.parse::<T>().unwrap(), *value);
            // serde derives its names: they have to be these.
            assert_eq!(serde_json::to_value(value).unwrap(), *name);
        }
        let message = "of".parse::<T>().unwrap_err().to_string();
        assert!(message.contains(all[0].0), "{message}");
    }

    #[test]
    fn names_are_written_as_they_are_read() {
        check(&Ink::ALL);
        check(&Paper::ALL);
        check(&Rotations::ALL);
    }
}
