//! What a cell says: missing, a number, a count, yes or no.

/// Whether a text is one of the usual spellings of "no value".
pub(super) fn is_missing(text: &str) -> bool {
    const SPELLINGS: [&str; 13] = [
        "", "nan", "na", "n/a", "#n/a", "#nv", "#div/0!", "null", "none", "<na>", "nat", "-nan",
        "-",
    ];
    SPELLINGS.contains(&text.to_ascii_lowercase().as_str())
}

/// A finite number; `decimal_comma` admits `0,54`.
pub(super) fn number(text: &str, decimal_comma: bool) -> Option<f64> {
    let read = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    read(text).or_else(|| {
        let is_decimal = decimal_comma && text.matches(',').count() == 1 && !text.contains('.');
        is_decimal.then(|| read(&text.replace(',', "."))).flatten()
    })
}

/// Yes or no, in the usual spellings.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "1.0" | "true" | "yes" | "wahr" | "ja" => Some(true),
        "0" | "0.0" | "false" | "no" | "falsch" | "nein" => Some(false),
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
        | "killed"
        | "pruned"
        | "diverged"
        | "error"
        | "errored"
        | "terminated_with_error" => Some(true),
        "finished" | "complete" | "completed" | "ok" | "success" | "succeeded" | "terminated"
        | "done" => Some(false),
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
