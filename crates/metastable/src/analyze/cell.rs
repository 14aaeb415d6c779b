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

/// Yes or no, or the state of a run in the words of trackers and tuners: yes is "failed".
pub(super) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1"
        | "1.0"
        | "true"
        | "yes"
        | "wahr"
        | "ja"
        | "failed"
        | "fail"
        | "failure"
        | "crashed"
        | "killed"
        | "pruned"
        | "diverged"
        | "error"
        | "errored"
        | "terminated_with_error" => Some(true),
        "0" | "0.0" | "false" | "no" | "falsch" | "nein" | "finished" | "complete"
        | "completed" | "ok" | "success" | "succeeded" | "terminated" | "done" => Some(false),
        _ => None,
    }
}
