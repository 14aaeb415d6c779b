//! Fills a settings struct from a table of the tree, and says where and what when that fails.
//!
//! A section is any serde struct whose default value shows all its keys. Each entry is tried alone, over the defaults,
//! so that a complaint names the one line that is wrong.

use anyhow::{Result, anyhow, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::tree::{Entry, Item};

/// Reads a section; what the table does not say keeps its value in `defaults`. `check` knows the bounds.
pub(crate) fn read<S: Serialize + DeserializeOwned>(
    entries: &[Entry],
    path: &str,
    defaults: &S,
    check: impl Fn(&S) -> Result<()>,
) -> Result<S> {
    let Value::Object(defaults) = serde_json::to_value(defaults)? else {
        bail!("the defaults of [{path}] are no table");
    };
    let build = |settings: &Map<String, Value>| -> Result<S> {
        let section: S = serde_json::from_value(Value::Object(settings.clone()))?;
        check(&section)?;
        Ok(section)
    };
    let known: Vec<&str> = defaults.keys().map(String::as_str).collect();
    let filled = fill(entries, path, (&known, &[]), &defaults, |settings| {
        build(settings).map(|_| ())
    })?;
    // Each value is good by itself; what is left are two that do not go together.
    build(&filled).map_err(|error| {
        let place = entries
            .first()
            .map_or_else(String::new, |entry| format!("{}: ", entry.origin));
        anyhow!("{place}[{path}]: {error:#}")
    })
}

/// `base` with the entries put in, of which those among `tables` may be tables; `accepts` judges `base` with one of them.
pub(crate) fn fill(
    entries: &[Entry],
    path: &str,
    (known, tables): (&[&str], &[&str]),
    base: &Map<String, Value>,
    accepts: impl Fn(&Map<String, Value>) -> Result<()>,
) -> Result<Map<String, Value>> {
    let mut filled = base.clone();
    for entry in entries {
        let Entry { key, origin, item } = entry;
        if !known.contains(&key.as_str()) {
            return Err(unknown(entry, path, known));
        }
        let full = join(path, key);
        let value = match item {
            Item::Table(inner) if tables.contains(&key.as_str()) => object(inner, &full)?,
            item => {
                json(item).map_err(|complaint| anyhow!("{origin}: {full} = {item}: {complaint}"))?
            }
        };
        let mut alone = base.clone();
        alone.insert(key.clone(), value.clone());
        accepts(&alone).map_err(|complaint| {
            let complaint = format!("{complaint:#}");
            // A check that names its setting does not need it named again.
            let complaint = complaint
                .strip_prefix(&format!("{key} = "))
                .map_or(complaint.as_str(), |rest| {
                    rest.split_once(": ").map_or(rest, |(_, advice)| advice)
                });
            anyhow!("{origin}: {full} = {item}: {complaint}")
        })?;
        filled.insert(key.clone(), value);
    }
    Ok(filled)
}

/// The complaint about a key that nobody knows.
pub(crate) fn unknown(entry: &Entry, path: &str, known: &[&str]) -> anyhow::Error {
    let place = if path.is_empty() {
        String::from("a study")
    } else {
        format!("[{path}]")
    };
    anyhow!(
        "{}: {place} has no setting {:?}; {}",
        entry.origin,
        entry.key,
        suggestion(&entry.key, known)
    )
}

/// `learners.maml` and `steps` make `learners.maml.steps`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The entries of a table, refused if it is something else.
pub(crate) fn table<'t>(entry: &'t Entry, path: &str) -> Result<&'t [Entry]> {
    match &entry.item {
        Item::Table(inner) => Ok(inner),
        item => bail!(
            "{}: {path} = {item}: has to be a table, [{path}]",
            entry.origin
        ),
    }
}

/// A table of values as one value.
fn object(entries: &[Entry], path: &str) -> Result<Value> {
    let fields = entries.iter().map(|Entry { key, origin, item }| {
        let value = json(item);
        let value = value
            .map_err(|complaint| anyhow!("{origin}: {} = {item}: {complaint}", join(path, key)));
        Ok((key.clone(), value?))
    });
    Ok(Value::Object(fields.collect::<Result<_>>()?))
}

/// The value as settings take it.
pub(crate) fn json(item: &Item) -> Result<Value> {
    Ok(match item {
        Item::Integer(value) => Value::from(*value),
        Item::Float(value) if !value.is_finite() => bail!("has to be a finite number"),
        Item::Float(value) => Value::from(*value),
        Item::Boolean(value) => Value::from(*value),
        Item::Text(value) => Value::from(value.as_str()),
        Item::Array(items) => Value::Array(items.iter().map(json).collect::<Result<_>>()?),
        Item::Table(_) | Item::Other(_) => bail!("has to be a number, a string, true or false"),
    })
}

/// `did you mean "x"? Valid: a, b, c`: the nearest name first, where one is near.
pub(crate) fn suggestion(wrong: &str, valid: &[&str]) -> String {
    let nearest = valid
        .iter()
        .map(|name| (strsim::damerau_levenshtein(wrong, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + wrong.len().max(name.len()) / 3);
    let list = valid.join(", ");
    match nearest {
        Some((_, name)) => format!("did you mean {name:?}? Valid: {list}"),
        None => format!("valid: {list}"),
    }
}

/// Refuses a value unless `holds`, which is stated positively so that NaN fails it.
pub(crate) fn require(
    holds: bool,
    key: &str,
    got: impl std::fmt::Display,
    advice: &str,
) -> Result<()> {
    if holds {
        Ok(())
    } else {
        bail!("{key} = {got}: {advice}")
    }
}
