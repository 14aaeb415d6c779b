//! Text with separators: comma, semicolon, tab or bar, with lines as an editor counts them.

use anyhow::{Result, bail};
use csv::{ReaderBuilder, StringRecord};

use super::cell::Commas;
use super::sheet::Sheet;

/// What separates cells, with its name.
type Separator = (u8, &'static str);

/// What may separate cells; the first is taken where none occurs.
const SEPARATORS: [Separator; 4] = [
    (b',', "comma"),
    (b';', "semicolon"),
    (b'\t', "tab"),
    (b'|', "bar"),
];

/// Reads separated text. The separator is the one that occurs most often in the header outside of quotes.
pub(super) fn sheet(file: &str, text: &str) -> Result<Sheet> {
    let start = Start::of(text);
    let (separator, name) = start.separator;
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(&text.as_bytes()[start.header..]);
    let mut counter = Counter::new(text);
    let mut record = StringRecord::new();
    let mut sheet: Option<Sheet> = None;
    // R's `write.table` gives rows one cell more than the header: their numbers, in quotes.
    let mut has_row_names = false;
    while reader.read_record(&mut record)? {
        let at = record.position().map_or(0, |position| position.byte());
        let line = counter.line_of(start.header + usize::try_from(at)?);
        let cells = Cells::of(&record, separator);
        let Some(sheet) = &mut sheet else {
            let header = cells.names(start.is_marked);
            let mut new = Sheet::new(format!("{name}-separated"), header);
            if separator != b',' {
                new.commas = Commas::Either;
            }
            sheet = Some(new);
            continue;
        };
        if separator == b'|' && cells.are_rules() {
            continue;
        }
        // Spreadsheets end with rows of separators alone.
        if sheet.header.len() > 1 && cells.are_blank() {
            continue;
        }
        if sheet.n_rows() == 0
            && cells.n_filled() == sheet.header.len() + 1
            && counter.is_quoted()
            && record.get(0) == Some("1")
        {
            has_row_names = true;
            sheet.header.insert(0, String::new());
        }
        let expected = sheet.header.len();
        let is_numbered = !has_row_names
            || record.get(0).and_then(|cell| cell.parse().ok()) == Some(sheet.n_rows() + 1);
        // Empty cells behind the last column hold nothing.
        let is_longer = cells.len() > expected && cells.n_filled() > expected;
        if cells.len() < expected || is_longer || !is_numbered {
            let remedy = match () {
                () if expected == 1 => {
                    "the header holds no comma, semicolon, tab or bar; separate all columns by one of them"
                }
                () if cells.len() < expected => {
                    "a cell is missing; an empty one needs its separator too"
                }
                () if separator == b',' => {
                    "quote a cell that holds the separator, such as a decimal comma, or separate the columns by semicolons"
                }
                () => "quote a cell that holds the separator",
            };
            bail!(
                "{file}:{line}: {} cells, and the header has {expected} ({name}-separated); {remedy}",
                cells.len()
            );
        }
        sheet.push(line, cells.iter().take(expected));
    }
    match sheet {
        Some(sheet) if by_spaces(&sheet) => bail!(
            "{file}:1: one column, `{}`: no comma, semicolon, tab or bar separates its names; if spaces do, write the table again with \
             `tr -s ' ' ','`",
            sheet.header[0]
        ),
        Some(sheet) => Ok(sheet),
        None => bail!("{file}: the file is empty"),
    }
}

/// Whether a table of one column has as many words in its first row as in its header.
fn by_spaces(sheet: &Sheet) -> bool {
    let n = |text: &str| text.split_whitespace().count();
    let names = match sheet.header.as_slice() {
        [one] => n(one),
        _ => return false,
    };
    names > 1 && sheet.n_rows() > 0 && n(sheet.cell(0, 0)) == names
}

/// The cells of a record; a row between bars has none before the first and behind the last.
struct Cells<'r> {
    record: &'r StringRecord,
    first: usize,
    end: usize,
}

impl<'r> Cells<'r> {
    fn of(record: &'r StringRecord, separator: u8) -> Self {
        let (mut first, mut end) = (0, record.len());
        let is_blank = |at: usize| record.get(at).is_some_and(|cell| cell.trim().is_empty());
        if separator == b'|' && end > 2 && is_blank(0) && is_blank(end - 1) {
            (first, end) = (1, end - 1);
        }
        Self { record, first, end }
    }

    fn len(&self) -> usize {
        self.end - self.first
    }

    fn iter(&self) -> impl Iterator<Item = &'r str> {
        let record = self.record;
        (self.first..self.end).map(move |at| record.get(at).unwrap_or(""))
    }

    fn are_blank(&self) -> bool {
        self.iter()
            .all(|cell| cell.chars().all(char::is_whitespace))
    }

    /// Cells up to the last that is not empty.
    fn n_filled(&self) -> usize {
        let last = self
            .iter()
            .enumerate()
            .filter(|(_, cell)| !cell.trim().is_empty());
        last.last().map_or(0, |(at, _)| at + 1)
    }

    /// Whether a row is Markdown's rule below the header.
    fn are_rules(&self) -> bool {
        let is_rule = |cell: &str| {
            let cell = cell.trim();
            cell.contains('-') && cell.bytes().all(|byte| matches!(byte, b'-' | b':'))
        };
        self.iter().all(is_rule)
    }

    /// Names of columns; a mark of a comment stands before the first.
    fn names(&self, is_marked: bool) -> Vec<String> {
        let mut names: Vec<String> = self.iter().map(|name| name.trim().to_owned()).collect();
        if let Some(first) = names.first_mut().filter(|_| is_marked) {
            *first = first.trim_start_matches('#').trim_start().to_owned();
        }
        names
    }
}

/// Where a table begins: behind blank lines, comments and Excel's own line `sep=;`.
struct Start {
    separator: Separator,
    /// First byte of the header.
    header: usize,
    /// Whether the header is written as a comment, as NumPy's `savetxt` writes it.
    is_marked: bool,
}

impl Start {
    fn of(text: &str) -> Self {
        let mut told = None;
        let mut comment: Option<(usize, &str)> = None;
        let mut at = 0;
        for line in text.split_inclusive(['\r', '\n']) {
            let begin = at;
            at += line.len();
            let line = line.trim_end_matches(['\r', '\n']);
            if line.trim().is_empty() {
                continue;
            }
            if told.is_none() && comment.is_none() && told_separator(line).is_some() {
                told = told_separator(line);
                continue;
            }
            if line.starts_with('#') {
                comment = Some((begin, line));
                continue;
            }
            let separator = told.unwrap_or_else(|| most_frequent(line));
            let n = |line: &str| count(line, separator.0);
            // The last comment is the header if it has as many cells as the row of numbers below it.
            let named = comment.filter(|(_, names)| {
                n(names) == n(line) && n(line) > 0 && !is_header(line, separator.0)
            });
            return Self {
                separator,
                header: named.map_or(begin, |it| it.0),
                is_marked: named.is_some(),
            };
        }
        Self {
            separator: SEPARATORS[0],
            header: comment.map_or(text.len(), |(begin, _)| begin),
            is_marked: comment.is_some(),
        }
    }
}

/// Whether a line holds names alone.
fn is_header(line: &str, separator: u8) -> bool {
    let is_number = |cell: &str| cell.trim().trim_matches('"').parse::<f64>().is_ok();
    !line.split(char::from(separator)).any(is_number)
}

/// The separator of a first line `sep=;`.
fn told_separator(line: &str) -> Option<Separator> {
    let told = line.trim_matches('"').strip_prefix("sep=")?;
    // `sep=,` holds the separator itself: nothing else stands in the line.
    SEPARATORS
        .into_iter()
        .find(|(separator, _)| told.as_bytes() == [*separator])
}

fn most_frequent(line: &str) -> Separator {
    SEPARATORS.into_iter().fold(SEPARATORS[0], |best, other| {
        if count(line, other.0) > count(line, best.0) {
            other
        } else {
            best
        }
    })
}

/// How often a separator stands outside of quotes.
fn count(line: &str, separator: u8) -> usize {
    let mut quoted = false;
    let mut found = 0;
    for byte in line.bytes() {
        quoted ^= byte == b'"';
        found += usize::from(byte == separator && !quoted);
    }
    found
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

    /// Whether the record whose line was asked for last begins with a quote.
    fn is_quoted(&self) -> bool {
        self.bytes.get(self.at) == Some(&b'"')
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
