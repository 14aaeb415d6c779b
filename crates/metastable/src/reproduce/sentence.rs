//! Words for a verdict: short for a table, and a sentence.

use super::judge::{Row, Verdict};
use metastable_analysis::reproduction::MOST_RUNS;

/// In percentage points, with a sign.
fn points(fraction: f64) -> String {
    format!("{:+.2}", 100.0 * fraction)
}

/// The verdict for a table.
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Reproduced => "reproduced",
        Verdict::NotReproduced => "not reproduced",
        Verdict::Undecided => "undecided",
        Verdict::ProtocolDiffers => "protocol differs",
    }
}

/// `-1.40 [-1.62, -1.18]`, in percentage points; `-` where no run could be tested.
pub(super) fn difference(row: &Row) -> String {
    let Some(found) = &row.comparison else {
        return String::from("-");
    };
    let limits = found.interval.as_ref().map_or_else(String::new, |it| {
        format!(" [{}, {}]", points(it.lower), points(it.upper))
    });
    points(found.difference) + &limits
}

/// Our mean in percent, or what there is instead.
pub(super) fn mean(row: &Row) -> String {
    let found = row.comparison.as_ref();
    found.map_or_else(|| String::from("-"), |it| format!("{:.2}", 100.0 * it.ours))
}

/// What stands beside the verdict: why it is open, what would decide, what differs.
pub(super) fn reason(row: &Row) -> String {
    let mut parts = Vec::new();
    if row.ours.failed > 0 {
        let all = row.ours.runs + row.ours.failed;
        parts.push(format!("{} of {all} runs diverged", row.ours.failed));
    }
    match (row.verdict, &row.comparison) {
        (Verdict::Undecided, None) => parts.push(String::from("no run could be tested")),
        (Verdict::Undecided, Some(found)) if row.ours.failed == 0 => parts.push(open(row, found)),
        (
            Verdict::Reproduced
            | Verdict::NotReproduced
            | Verdict::Undecided
            | Verdict::ProtocolDiffers,
            _,
        ) => {}
    }
    if !row.differs.is_empty() {
        parts.push(format!("protocol differs in {}", row.differs.join(", ")));
    }
    parts.join("; ")
}

fn open(row: &Row, found: &metastable_analysis::reproduction::Reproduction) -> String {
    let Some(interval) = &found.interval else {
        return String::from(
            "one run, or copies of one run, show no spread; two runs that differ are needed",
        );
    };
    let width = 100.0 * interval.half_width();
    let runs = row.ours.runs;
    match (found.runs_needed, found.least_half_width) {
        (Some(needed), _) => {
            format!("{runs} runs leave ±{width:.2} pp, about {needed} would decide")
        }
        (None, least) => format!(
            "{runs} runs leave ±{width:.2} pp, and {MOST_RUNS} would leave ±{:.2} pp: the published number and the test tasks set this limit",
            100.0 * least.unwrap_or(f64::NAN)
        ),
    }
}

/// One sentence for each row.
pub(super) fn sentence(row: &Row) -> String {
    let runs = match row.ours.runs {
        1 => String::from("1 run"),
        n => format!("{n} runs"),
    };
    let what = format!(
        "{} ({}): {} % in {runs}, published {} % ({}); difference {} pp",
        row.ours.learner,
        row.ours.setting,
        mean(row),
        row.published.printed(),
        row.published.place,
        difference(row),
    );
    let reason = match reason(row) {
        empty if empty.is_empty() => empty,
        text => format!(": {text}"),
    };
    format!("{what}. {}{reason}.", capital(word(row.verdict)))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
