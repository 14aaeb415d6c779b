//! Text with separators: comma, semicolon or tab, with lines as an editor counts them.

use anyhow::{Result, bail};
use csv::{ReaderBuilder, StringRecord};

use super::sheet::Sheet;

/// Reads separated text. The separator is the one that occurs most often in the first line outside of quotes.
pub(super) fn sheet(file: &str, text: &str) -> Result<Sheet> {
    let (separator, name) = separator(text);
    // Excel's own line above the header, which says the separator.
    let told = told_separator(text).is_some();
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut counter = Counter::new(text);
    let mut record = StringRecord::new();
    let mut sheet: Option<Sheet> = None;
    while reader.read_record(&mut record)? {
        let start = record.position().map_or(0, |position| position.byte());
        let line = counter.line_of(usize::try_from(start)?);
        let Some(sheet) = &mut sheet else {
            if told && line == 1 {
                continue;
            }
            let header = record.iter().map(|name| name.trim().to_owned()).collect();
            let mut new = Sheet::new(format!("{name}-separated"), header);
            new.decimal_comma = separator != b',';
            sheet = Some(new);
            continue;
        };
        let (expected, got) = (sheet.header.len(), record.len());
        if got != expected {
            bail!(
                "{file}:{line}: {got} cells, and the header has {expected} ({name}-separated); quote a cell that holds the separator"
            );
        }
        sheet.push(line, &record);
    }
    match sheet {
        Some(sheet) => Ok(sheet),
        None => bail!("{file}: the file is empty"),
    }
}

/// The separator of a first line `sep=;`.
fn told_separator(text: &str) -> Option<char> {
    let first = text.lines().next()?.trim_matches('"');
    let told = first.strip_prefix("sep=")?;
    // `sep=,` holds the separator itself: nothing else stands in the line.
    let mut letters = told.chars();
    let letter = letters.next()?;
    letters.next().is_none().then_some(letter)
}

fn separator(text: &str) -> (u8, &'static str) {
    match told_separator(text) {
        Some(';') => return (b';', "semicolon"),
        Some(',') => return (b',', "comma"),
        Some('\t') => return (b'\t', "tab"),
        _ => {}
    }
    let first = text.trim_start_matches(['\r', '\n']);
    let first = first.split(['\r', '\n']).next().unwrap_or("");
    let count = |wanted: char| {
        let mut quoted = false;
        let mut found = 0;
        for letter in first.chars() {
            quoted ^= letter == '"';
            found += usize::from(letter == wanted && !quoted);
        }
        found
    };
    let candidates = [(b',', "comma"), (b';', "semicolon"), (b'\t', "tab")];
    let mut best = candidates[0];
    for candidate in candidates {
        if count(char::from(candidate.0)) > count(char::from(best.0)) {
            best = candidate;
        }
    }
    best
}

/// Lines by byte, walking forward once.
struct Counter<'t> {
    bytes: &'t [u8],
    at: usize,
    line: usize,
}

impl<'t> Counter<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            bytes: text.as_bytes(),
            at: 0,
            line: 1,
        }
    }

    /// Line of the record that begins at a byte, or after the line ends there: the parser says where it went on reading,
    /// which is before the `\n` of a CRLF and before blank lines.
    fn line_of(&mut self, start: usize) -> usize {
        while self.at < self.bytes.len() {
            let byte = self.bytes[self.at];
            let ends = matches!(byte, b'\r' | b'\n');
            if self.at >= start && !ends {
                break;
            }
            let is_first_half = byte == b'\r' && self.bytes.get(self.at + 1) == Some(&b'\n');
            self.line += usize::from(ends && !is_first_half);
            self.at += 1;
        }
        self.line
    }
}
