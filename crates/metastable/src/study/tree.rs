//! A study file as a tree that remembers where every value was written.
//!
//! serde would do for the values, but its errors for unknown keys neither carry a line nor know of `--set`; here a file
//! and the command line edit one tree, and every later complaint can point at the place.

use std::fmt;

use anyhow::{Result, anyhow, bail};
use toml::de::{DeTable, DeValue};

use super::depth::{self, MOST_KEYS};

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A line of a file, counted from 1.
    File {
        /// As the user named it.
        name: String,
        /// Line, counted from 1.
        line: usize,
    },
    /// On the command line, e.g. `--set learner.inner_lr=0.1`.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One `key = value`, or one `[table]`.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) origin: Origin,
    pub(crate) item: Item,
}

/// What stands behind a key.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Text(String),
    /// In the order of the file.
    Table(Vec<Entry>),
    /// A list: what few settings take.
    Array(Vec<Item>),
    /// Something that no setting takes (a date), by its name.
    Other(&'static str),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Table(_) => f.write_str("a table"),
            Self::Array(_) => f.write_str("an array"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// Reads a TOML text; `name` is what messages call it.
pub(crate) fn parse(text: &str, name: &str) -> Result<Vec<Entry>> {
    if let Some(at) = depth::too_deep(text) {
        let line = 1 + text.bytes().take(at).filter(|&b| b == b'\n').count();
        bail!(
            "{name}:{line}: more than {MOST_KEYS} keys joined by points; a setting has at most four, e.g. learners.maml.inner_lr = 0.1"
        );
    }
    let line_of = |byte: usize| 1 + text.bytes().take(byte).filter(|&b| b == b'\n').count();
    let root = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(span.start));
        anyhow!("{name}:{line}: not valid TOML: {}", error.message())
    })?;
    let at = |byte| Origin::File {
        name: name.to_owned(),
        line: line_of(byte),
    };
    table(root.get_ref(), &at)
}

fn table(source: &DeTable<'_>, at: &dyn Fn(usize) -> Origin) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (key, value) in source {
        let start = key.span().start;
        let entry = Entry {
            key: key.get_ref().to_string(),
            origin: at(start),
            item: item(value.get_ref(), at)?,
        };
        entries.push((start, entry));
    }
    entries.sort_by_key(|(start, _)| *start);
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

fn item(value: &DeValue<'_>, at: &dyn Fn(usize) -> Origin) -> Result<Item> {
    Ok(match value {
        DeValue::String(text) => Item::Text(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Item::Other("an integer beyond 64 bits"), Item::Integer),
        DeValue::Float(float) => Item::Float(float.as_str().parse()?),
        DeValue::Boolean(value) => Item::Boolean(*value),
        DeValue::Table(inner) => Item::Table(table(inner, at)?),
        DeValue::Array(items) => {
            let items = items.iter().map(|value| item(value.get_ref(), at));
            Item::Array(items.collect::<Result<_>>()?)
        }
        DeValue::Datetime(_) => Item::Other("a date"),
    })
}

/// Applies one `--set path.to.key=value` to the tree.
///
/// The value is TOML; a bare word is taken as a string, so that no quotes have to survive a shell. `learner.KEY` means
/// every learner of the study: what a `[learners.*]` table says about KEY gives way.
pub(crate) fn set(root: &mut Vec<Entry>, assignment: &str) -> Result<()> {
    let flag = format!("--set {assignment}");
    let Some((path, value)) = assignment.split_once('=') else {
        bail!("{flag}: write it as key=value, e.g. --set learner.inner_lr=0.1");
    };
    put(root, path.trim(), value.trim(), flag)
}

/// The beginning of a flag that is too long to be repeated.
fn start_of(flag: &str) -> String {
    match flag.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &flag[..end]),
        None => flag.to_owned(),
    }
}

/// Puts a value into the tree on behalf of `flag`, which messages will name.
pub(crate) fn put(root: &mut Vec<Entry>, path: &str, value: &str, flag: String) -> Result<()> {
    let keys: Vec<&str> = path.split('.').map(str::trim).collect();
    if keys.iter().any(|key| key.is_empty()) {
        bail!("{flag}: {path:?} is not a path of keys such as learner.inner_lr");
    }
    if keys.len() > MOST_KEYS || depth::too_deep(value).is_some() {
        bail!(
            "{}: more than {MOST_KEYS} keys joined by points; a setting has at most four, e.g. learners.maml.inner_lr=0.1",
            start_of(&flag)
        );
    }
    let origin = Origin::Flag(flag);
    let item = match DeValue::parse(value) {
        Ok(parsed) => item(parsed.get_ref(), &|_| origin.clone())?,
        Err(_) => Item::Text(value.to_owned()),
    };
    put_item(root, path, item, &origin);
    Ok(())
}

/// Puts a text into a table of the tree, unless something stands there; `flag` is what messages will name.
pub(crate) fn put_missing(root: &mut Vec<Entry>, path: &str, value: &str, flag: &str) {
    let Some((table, key)) = path.split_once('.') else {
        return;
    };
    let is_there = root.iter().any(|entry| {
        entry.key == table
            && matches!(&entry.item, Item::Table(inner) if inner.iter().any(|it| it.key == key))
    });
    if !is_there {
        let origin = Origin::Flag(flag.to_owned());
        put_item(root, path, Item::Text(value.to_owned()), &origin);
    }
}

/// Puts an item into the tree; `learner.KEY` holds for every learner, whatever the file says for one of them.
pub(crate) fn put_item(root: &mut Vec<Entry>, path: &str, item: Item, origin: &Origin) {
    let keys: Vec<&str> = path.split('.').map(str::trim).collect();
    if let ["learner", key] = keys[..] {
        for entry in root.iter_mut().filter(|entry| entry.key == "learners") {
            if let Item::Table(learners) = &mut entry.item {
                for learner in learners {
                    if let Item::Table(settings) = &mut learner.item {
                        settings.retain(|setting| setting.key != key);
                    }
                }
            }
        }
    }
    insert(root, &keys, item, origin);
}

fn insert(entries: &mut Vec<Entry>, keys: &[&str], item: Item, origin: &Origin) {
    let (Some(first), rest) = (keys.first(), &keys[1..]) else {
        return;
    };
    let position = entries.iter().position(|entry| entry.key == *first);
    let index = position.unwrap_or_else(|| {
        entries.push(Entry {
            key: (*first).to_owned(),
            origin: origin.clone(),
            item: Item::Table(Vec::new()),
        });
        entries.len() - 1
    });
    let entry = &mut entries[index];
    if rest.is_empty() {
        entry.item = item;
        entry.origin = origin.clone();
        return;
    }
    if !matches!(entry.item, Item::Table(_)) {
        entry.item = Item::Table(Vec::new());
        entry.origin = origin.clone();
    }
    if let Item::Table(inner) = &mut entry.item {
        insert(inner, rest, item, origin);
    }
}

/// The tree as TOML, in the order of the file; reading it gives the same tree.
pub(crate) fn to_toml(root: &[Entry]) -> String {
    let mut text = String::new();
    write_table(root, "", &mut text);
    text
}

fn write_table(entries: &[Entry], path: &str, text: &mut String) {
    let (tables, values): (Vec<&Entry>, Vec<&Entry>) = entries
        .iter()
        .partition(|entry| matches!(entry.item, Item::Table(_)));
    // A table that holds nothing but tables needs no line, unless it is empty.
    if !path.is_empty() && (!values.is_empty() || tables.is_empty()) {
        *text += &format!("\n[{path}]\n");
    }
    for entry in values {
        *text += &format!("{} = {}\n", quoted_key(&entry.key), literal(&entry.item));
    }
    for entry in tables {
        if let Item::Table(inner) = &entry.item {
            let key = quoted_key(&entry.key);
            let full = if path.is_empty() {
                key
            } else {
                format!("{path}.{key}")
            };
            write_table(inner, &full, text);
        }
    }
}

fn quoted_key(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(is_bare) {
        key.to_owned()
    } else {
        toml::Value::from(key).to_string()
    }
}

fn literal(item: &Item) -> String {
    match item {
        Item::Integer(value) => value.to_string(),
        // Shortest form that comes back as the same number, with a point or an exponent.
        Item::Float(value) => format!("{value:?}"),
        Item::Boolean(value) => value.to_string(),
        Item::Text(value) => toml::Value::from(value.as_str()).to_string(),
        Item::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        // Refused before anything is written.
        Item::Table(_) | Item::Other(_) => String::from("{}"),
    }
}
