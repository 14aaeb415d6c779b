//! What a report says, apart from how it is written down: the same document becomes HTML and Markdown.

use super::said::Said;
use super::subject::Subject;
use super::svg::text::number;
pub(crate) use crate::findings::list;
pub(crate) use crate::words::percent;

/// A whole report.
pub(crate) struct Document {
    /// Name of the study.
    pub(crate) title: String,
    /// What was run, a paragraph each.
    pub(crate) lead: Vec<String>,
    /// Remarks that a reader must not miss, before any number (missing runs, simulated data).
    pub(crate) warnings: Vec<String>,
    /// The four answers of the first screen.
    pub(crate) decision: Vec<Answer>,
    /// One row per learner and setting, in as many tables as it takes to fit the columns.
    pub(crate) card: Vec<Table>,
    /// The main results as sentences.
    pub(crate) findings: Vec<Said>,
    /// The chapters with their subjects, in order.
    pub(crate) chapters: Vec<(&'static Subject, Chapter)>,
}

/// One of the questions of the first screen with its answer.
pub(crate) struct Answer {
    /// As it stands above the answer.
    pub(crate) question: &'static str,
    /// Sentences, the main one first.
    pub(crate) sentences: Vec<Said>,
    /// A line for each learner, where the answer has them.
    pub(crate) lines: Vec<Line>,
    /// How the lines are to be read.
    pub(crate) note: Option<String>,
    /// What can be pasted into a shell.
    pub(crate) command: Option<String>,
}

impl Answer {
    /// An answer in sentences alone.
    pub(crate) fn plain(question: &'static str, sentences: Vec<Said>) -> Self {
        Self {
            question,
            sentences,
            lines: Vec::new(),
            note: None,
            command: None,
        }
    }
}

/// A learner with its verdict and the reasons.
pub(crate) struct Line {
    pub(crate) name: String,
    /// The word of a light.
    pub(crate) word: &'static str,
    pub(crate) reasons: String,
}

/// What stands under one [`Subject`]: number, plots, finding, caveat.
#[derive(Default)]
pub(crate) struct Chapter {
    /// The headline value and what it is; absent if the data are.
    pub(crate) number: Option<(String, String)>,
    /// One plain finding.
    pub(crate) finding: Said,
    /// What the finding does not say.
    pub(crate) caveat: String,
    /// The plots, in reading order.
    pub(crate) figures: Vec<Figure>,
    /// Tables, after the plots.
    pub(crate) tables: Vec<Table>,
    /// Sentences of the analysis on this chapter's subject, learner by learner; put in by the report.
    pub(crate) sentences: Vec<Said>,
    /// A command to copy, after the tables.
    pub(crate) command: Option<String>,
    /// The subject's question in the words of another scale; none: as it stands.
    pub(crate) question: Option<String>,
}

/// One or more panels that share legend, caption and data.
pub(crate) struct Figure {
    /// Anchor, unique in the document.
    pub(crate) id: String,
    /// Drawings, each an `<svg>` element.
    pub(crate) panels: Vec<String>,
    /// Legend: an `<svg>` swatch and its words.
    pub(crate) legend: Vec<(String, String)>,
    /// What is drawn, in a sentence or three.
    pub(crate) caption: String,
    /// The numbers behind the marks.
    pub(crate) data: Csv,
}

/// A table of text. The first column names the row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// What the table shows.
    pub(crate) caption: String,
    /// Column heads.
    pub(crate) head: Vec<String>,
    /// Cells, each row as long as `head`.
    pub(crate) rows: Vec<Vec<String>>,
}

/// Comma-separated values under construction (RFC 4180, with line feeds).
pub(crate) struct Csv {
    text: String,
    n_rows: usize,
}

/// One value of a CSV row.
pub(crate) enum Cell<'a> {
    /// Text, quoted where needed.
    Text(&'a str),
    /// A number; empty if not finite.
    Number(f64),
    /// A count or an index.
    Count(usize),
}

impl Csv {
    /// A header and no rows.
    pub(crate) fn new(header: &str) -> Self {
        Self {
            text: format!("{header}\n"),
            n_rows: 0,
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[Cell<'_>]) {
        for (i, cell) in cells.iter().enumerate() {
            if i > 0 {
                self.text.push(',');
            }
            match cell {
                Cell::Text(text) => self.text += &quoted(text),
                Cell::Number(value) if value.is_finite() => self.text += &plain(*value),
                Cell::Number(_) => {}
                Cell::Count(count) => self.text += &count.to_string(),
            }
        }
        self.text.push('\n');
        self.n_rows += 1;
    }

    /// The text, header included.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Rows without the header.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }
}

/// A text as a cell: control characters spelled out, since a terminal obeys them; a sign of a formula behind an apostrophe,
/// since a spreadsheet computes it; quoted where the separators ask for it.
fn quoted(text: &str) -> String {
    let mut cell = String::new();
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        cell.push('\'');
    }
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => cell.push(c),
            c if c.is_control() => cell.extend(c.escape_unicode()),
            c => cell.push(c),
        }
    }
    if cell.contains([',', '"', '\n', '\r']) {
        cell = format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell
}

/// A number with six digits that matter, without trailing zeros; an exponent only where it saves room.
fn plain(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e9).contains(&size) {
        return format!("{value:.5e}");
    }
    let decimals = (5 - size.max(1e-9).log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// A number, or the word for one that does not exist.
pub(crate) fn decimal(value: f64, decimals: usize) -> String {
    if value.is_finite() {
        number(value, decimals)
    } else {
        "none".to_owned()
    }
}

/// An interval in percent: `[96.10, 98.02]`.
pub(crate) fn percent_range(lo: f64, hi: f64) -> String {
    format!("[{}, {}]", percent(lo), percent(hi))
}

/// `96.10 to 98.02 %`, or `98.02 %` if both ends read the same. The ends are fractions.
pub(crate) fn range(lo: f64, hi: f64, unit: &str) -> String {
    let (lo, hi) = (percent(lo), percent(hi));
    if lo == hi {
        format!("{lo} {unit}")
    } else {
        format!("{lo} to {hi} {unit}")
    }
}

/// Two entries: the lowest, the highest.
pub(crate) type Extremes<'e, T> = (&'e (T, f64), &'e (T, f64));

/// The entries with the lowest and the highest finite value.
pub(crate) fn extremes<T>(entries: &[(T, f64)]) -> Option<Extremes<'_, T>> {
    let finite = || entries.iter().filter(|entry| entry.1.is_finite());
    let lowest = finite().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let highest = finite().max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((lowest, highest))
}

/// `1 run`, `3 runs`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        number(n as f64, 0),
        if n == 1 { "" } else { "s" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_csv_is_neither_obeyed_nor_computed() {
        let mut csv = Csv::new("name,value");
        for name in ["\u{1b}[31mred", "=1+1", "+a", "-a", "@a", "a=b", "=a,b"] {
            csv.row(&[Cell::Text(name), Cell::Number(-1.0)]);
        }
        assert_eq!(
            csv.text(),
            "name,value\n\\u{1b}[31mred,-1\n'=1+1,-1\n'+a,-1\n'-a,-1\n'@a,-1\na=b,-1\n\"'=a,b\",-1\n"
        );
    }

    #[test]
    fn csv_quotes_and_leaves_missing_values_empty() {
        let mut csv = Csv::new("name,value,n");
        csv.row(&[
            Cell::Text("a,\"b\""),
            Cell::Number(f64::NAN),
            Cell::Count(3),
        ]);
        csv.row(&[Cell::Text("c"), Cell::Number(0.25), Cell::Count(0)]);
        assert_eq!(csv.text(), "name,value,n\n\"a,\"\"b\"\"\",,3\nc,0.25,0\n");
        assert_eq!(csv.n_rows(), 2);
    }

    #[test]
    fn numbers_keep_six_digits() {
        assert_eq!(plain(0.123_456_78), "0.123457");
        assert_eq!(plain(1234.5), "1234.5");
        assert_eq!(plain(-0.0), "0");
        assert_eq!(plain(1e-12), "1.00000e-12");
        assert_eq!(percent(0.97849), "97.85");
        assert_eq!(percent(f64::INFINITY), "none");
    }

    #[test]
    fn lists_read_as_english() {
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(count(1, "run"), "1 run");
    }
}
