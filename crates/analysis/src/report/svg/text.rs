//! Text in a drawing: escaping, widths, and numbers short enough for a file.

use std::fmt::Write as _;

pub(crate) use crate::words::number;

/// Text that is safe inside an element or a quoted attribute of HTML and XML.
///
/// Characters that XML forbids altogether (control characters but tab and line ends) become U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Estimated width of `text` at font size `size`, on the wide side: a label that fits here fits in any usual font.
///
/// The widths are those of DejaVu Sans, the widest of the common sans-serif faces, by class of character.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let ems: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'l' | 'j' | 'I' | '\'' | '|' | '.' | ',' | ':' | ';' | '!' | ' ' => 0.33,
            'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 0.41,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.97,
            c if c.is_ascii_uppercase() => 0.72,
            c if c.is_ascii() => 0.62,
            c if (c as u32) < 0x2e80 => 0.75,
            _ => 1.0,
        })
        .sum();
    ems * size
}

/// `text`, or as much of it as fits into `room` followed by an ellipsis.
pub(crate) fn fit(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width(&kept, size) + size > room {
            kept.pop();
            break;
        }
    }
    kept.truncate(kept.trim_end().len());
    kept + "…"
}

/// Appends a coordinate with one decimal, without a trailing `.0`: a tenth of a unit is below what a screen shows.
pub(crate) fn push(out: &mut String, value: f64) {
    let tenths = (value * 10.0).round() as i64;
    if tenths < 0 {
        out.push('-');
    }
    let tenths = tenths.unsigned_abs();
    let _ = write!(out, "{}", tenths / 10);
    if !tenths.is_multiple_of(10) {
        let _ = write!(out, ".{}", tenths % 10);
    }
}

/// A coordinate as [`push`] writes it.
pub(crate) fn coordinate(value: f64) -> String {
    let mut out = String::new();
    push(&mut out, value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_markup_would_read() {
        assert_eq!(
            escape("<a href=\"x\">'&'</a>\u{1}"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;\u{fffd}"
        );
    }

    #[test]
    fn writes_short_coordinates_and_readable_numbers() {
        assert_eq!(coordinate(12.04), "12");
        assert_eq!(coordinate(-0.26), "-0.3");
        assert_eq!(number(-1_234_567.891, 1), "−1,234,567.9");
        assert_eq!(number(1500.0, 0), "1500");
        assert_eq!(number(-0.001, 1), "0.0");
    }

    #[test]
    fn cuts_only_what_does_not_fit() {
        assert_eq!(fit("maml", 12.0, 100.0), "maml");
        let cut = fit("a very long name of a learner", 12.0, 80.0);
        assert!(cut.ends_with('…') && width(&cut, 12.0) <= 80.0);
    }
}
