//! What a cell says: missing, a number, a count, yes or no.

/// Whether a text is one of the usual spellings of "no value".
pub(super) fn is_missing(text: &str) -> bool {
    const SPELLINGS: [&str; 33] = [
        "",
        "nan",
        "na",
        "n/a",
        "#n/a",
        "#na",
        "#nv",
        "#div/0!",
        "#ref!",
        "#value!",
        "#num!",
        "#name?",
        "#null!",
        "null",
        "(null)",
        "<null>",
        "none",
        "<none>",
        "<na>",
        "nat",
        "nil",
        "-nan",
        "+nan",
        "1.#qnan",
        "-1.#ind",
        "1.#ind",
        "missing",
        "undefined",
        "-",
        "--",
        "?",
        ".",
        "\u{2014}",
    ];
    // Hot in large tables: most cells are numbers, and only two of these begin with a digit.
    let first = text.bytes().next().unwrap_or(b' ');
    if first.is_ascii_digit() && !text.contains('#') {
        return false;
    }
    SPELLINGS.contains(&text.to_ascii_lowercase().as_str())
}

/// What commas in numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Commas {
    /// They separate cells; in a quoted cell they stand between thousands.
    #[default]
    Thousands,
    /// Another character separates cells, so that one may stand before decimals.
    Either,
    /// Other cells of the column have them before decimals.
    Decimal,
}

/// A finite number, as spreadsheets and programs write it: `0.54`, `5.4e-1`, `0,54`, `1,234.5`, `1.234,5`, `1 234`, `54 %` (which is 54).
/// What may be two numbers is none: `1.234` among decimal commas, `1,234` elsewhere.
pub(super) fn number(text: &str, commas: Commas) -> Option<f64> {
    let finite = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    if let Some(value) = finite(text) {
        let is_open = commas == Commas::Decimal && are_groups(text, '.');
        return (!is_open).then_some(value);
    }
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let text = text.strip_suffix('%').map_or(text, str::trim_end);
    let plain = text.replace('\u{2212}', "-");
    let between = [' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', '\u{2019}', '_'];
    let whole_end = plain.find(['.', ',']).unwrap_or(plain.len());
    let spaced = between
        .into_iter()
        .find(|mark| plain[..whole_end].contains(*mark));
    let plain = match spaced {
        Some(mark) if are_groups(&plain[..whole_end], mark) => plain.replace(mark, ""),
        _ => plain,
    };
    let (last_point, last_comma) = (plain.rfind('.'), plain.rfind(','));
    match (last_point, last_comma) {
        // Which of both comes last stands before the decimals.
        (Some(point), Some(comma)) if comma < point => {
            let is_grouped = are_groups(&plain[..point], ',');
            is_grouped
                .then(|| finite(&plain.replace(',', "")))
                .flatten()
        }
        (Some(_), Some(comma)) => {
            let is_grouped = commas != Commas::Thousands && are_groups(&plain[..comma], '.');
            let plain = plain.replace('.', "").replace(',', ".");
            is_grouped.then(|| finite(&plain)).flatten()
        }
        (None, Some(_)) if commas != Commas::Thousands && plain.matches(',').count() == 1 => {
            finite(&plain.replace(',', "."))
        }
        // `1,234,567` is one number, `1,234` may be two.
        (None, Some(_)) if plain.matches(',').count() > 1 && are_groups(&plain, ',') => {
            finite(&plain.replace(',', ""))
        }
        (None, Some(_)) => None,
        (Some(_), None) if commas == Commas::Decimal && are_groups(&plain, '.') => None,
        (_, None) => finite(&plain),
    }
}

/// Whether a text is digits in groups of three: `12.345`, `1.234.567`, but not `0.345`.
fn are_groups(text: &str, mark: char) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut groups = text.split(mark);
    let are_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups.next().unwrap_or("");
    let starts = (1..=3).contains(&first.len()) && are_digits(first) && !first.starts_with('0');
    let mut n = 0;
    let goes_on = groups.all(|group| {
        n += 1;
        group.len() == 3 && are_digits(group)
    });
    starts && goes_on && n > 0
}

/// Whether a text is a number with a comma before its decimals, and could be nothing else.
pub(super) fn has_decimal_comma(text: &str) -> bool {
    let text = text.strip_suffix('%').map_or(text, str::trim_end);
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some((whole, decimals)) = text.split_once(',') else {
        return false;
    };
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    are_digits(&whole.replace('.', "")) && are_digits(decimals)
}

/// Whether a number is written with a sign for percent.
pub(super) fn is_percentage(text: &str) -> bool {
    text.ends_with('%') && number(text, Commas::Either).is_some()
}

/// Whether a cell of a failed run says that there is no score: a missing value, an infinite one, or a word.
pub(super) fn is_no_attempt(text: &str) -> bool {
    is_missing(text) || is_infinite(text) || !text.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_infinite(text: &str) -> bool {
    const WORDS: [&str; 4] = ["inf", "infinity", "\u{221e}", "1.#inf"];
    let lower = text.to_ascii_lowercase();
    WORDS.contains(&lower.trim_start_matches(['-', '+']))
        || text.parse::<f64>().is_ok_and(|value| !value.is_finite())
}

/// What may be meant by a cell that is no number, behind a semicolon; empty if nothing is known.
pub(super) fn why_no_number(text: &str) -> &'static str {
    let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    if text.contains('\u{b1}')
        || text.contains("+/-")
        || text.contains("+-")
        || text.contains("\\pm")
    {
        "; a mean with its error says nothing about single runs: write a row for each run, or for each task of it"
    } else if is_infinite(text) {
        "; of a run that diverged say so in a column `failed`"
    } else if has_digits && (are_groups(text, ',') || are_groups(text, '.')) {
        "; it may be thousands or decimals: write it without the mark, or as the other cells are written"
    } else if has_decimal_comma(text) {
        "; where a comma stands before decimals, separate the columns by semicolons or tabs, or write a point"
    } else {
        ""
    }
}

/// Yes or no, in the usual spellings.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "1.0" | "true" | "yes" | "wahr" | "ja" | "t" | "y" | "vrai" | "oui" => Some(true),
        "0" | "0.0" | "false" | "no" | "falsch" | "nein" | "f" | "n" | "faux" | "non" => {
            Some(false)
        }
        _ => None,
    }
}

/// A score of a single trial that is written as true or false.
pub(super) fn success(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "wahr" => Some(1.0),
        "false" | "falsch" => Some(0.0),
        _ => None,
    }
}

/// Whether a run failed: yes or no, or its state in the words of trackers and tuners.
pub(super) fn state(text: &str) -> Option<bool> {
    truth(text).or_else(|| match text.to_ascii_lowercase().as_str() {
        "failed"
        | "fail"
        | "failure"
        | "crashed"
        | "crash"
        | "killed"
        | "pruned"
        | "diverged"
        | "divergence"
        | "error"
        | "errored"
        | "oom"
        | "out_of_memory"
        | "timeout"
        | "timed_out"
        | "preempted"
        | "node_fail"
        | "aborted"
        | "interrupted"
        | "cancelled"
        | "canceled"
        | "broken"
        | "terminated_with_error" => Some(true),
        "finished" | "complete" | "completed" | "ok" | "success" | "succeeded" | "successful"
        | "terminated" | "done" | "converged" => Some(false),
        _ => None,
    })
}

/// Whether an answer is right: yes or no, or a word for it. Of a run, `success` says that it did not fail; of an answer, that it is a hit.
pub(super) fn hit(text: &str) -> Option<bool> {
    truth(text).or_else(|| match text.to_ascii_lowercase().as_str() {
        "success" | "correct" | "right" => Some(true),
        "failure" | "wrong" | "incorrect" => Some(false),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for (text, thousands, either, decimal) in [
            ("0.54", Some(0.54), Some(0.54), Some(0.54)),
            ("5.4e-1", Some(0.54), Some(0.54), Some(0.54)),
            ("5.4E-01", Some(0.54), Some(0.54), Some(0.54)),
            ("+.5", Some(0.5), Some(0.5), Some(0.5)),
            ("\u{2212}3", Some(-3.0), Some(-3.0), Some(-3.0)),
            ("54%", Some(54.0), Some(54.0), Some(54.0)),
            ("54,5 %", None, Some(54.5), Some(54.5)),
            ("0,54", None, Some(0.54), Some(0.54)),
            ("1,234.5", Some(1234.5), Some(1234.5), Some(1234.5)),
            ("1.234,5", None, Some(1234.5), Some(1234.5)),
            ("1,234", None, Some(1.234), Some(1.234)),
            (
                "1,234,567",
                Some(1_234_567.0),
                Some(1_234_567.0),
                Some(1_234_567.0),
            ),
            ("1.234", Some(1.234), Some(1.234), None),
            ("0.234", Some(0.234), Some(0.234), Some(0.234)),
            ("1 234", Some(1234.0), Some(1234.0), Some(1234.0)),
            ("1\u{202f}234,5", None, Some(1234.5), Some(1234.5)),
            ("1'234.5", Some(1234.5), Some(1234.5), Some(1234.5)),
            ("12 34", None, None, None),
            ("0.5 \u{b1} 0.1", None, None, None),
            ("12,34.5", None, None, None),
            ("inf", None, None, None),
            ("1e999", None, None, None),
            ("", None, None, None),
            ("%", None, None, None),
        ] {
            let found = [Commas::Thousands, Commas::Either, Commas::Decimal]
                .map(|commas| number(text, commas));
            assert_eq!(found, [thousands, either, decimal], "{text}");
        }
    }

    #[test]
    fn a_bad_number_gets_its_reason() {
        for (text, reason) in [
            ("63.1 \u{b1} 0.4", "a mean with its error"),
            ("63.1+/-0.4", "a mean with its error"),
            ("-inf", "diverged"),
            ("1.234", "thousands or decimals"),
            ("1,234", "thousands or decimals"),
            ("0,54", "semicolons"),
        ] {
            assert!(why_no_number(text).contains(reason), "{text}");
        }
        assert_eq!(why_no_number("x"), "");
    }

    #[test]
    fn nothing_has_many_spellings() {
        for text in [
            "", "NaN", "N/A", "#REF!", "--", "?", "1.#QNAN", "\u{2014}", "<NA>",
        ] {
            assert!(is_missing(text), "{text}");
        }
        for text in ["0", "0.5", "x", "1#2", "no"] {
            assert!(!is_missing(text), "{text}");
        }
    }
}
