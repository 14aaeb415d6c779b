//! The table on the terminal.

use super::measure::Measurement;

/// First line; `against` adds the columns of the comparison.
pub(super) fn header(against: bool) -> String {
    let mut line = format!(
        "{:<18} {:>7} {:>10} {:>17} {:>9} {:>8} {:>9} {:>9}",
        "workload",
        "threads",
        "median ms",
        "min..max ms",
        "images/s",
        "GFLOP/s",
        "of sgemm",
        "peak MiB"
    );
    if against {
        line += &format!(" {:>8} {:>8}  {}", "faster", "memory", "than");
    }
    line
}

/// One workload, and its ratio to `other` if there is one.
pub(super) fn line(measured: &Measurement, other: Option<&Measurement>) -> String {
    let share = measured.gflops.zip(measured.sgemm_gflops);
    let mut line = format!(
        "{:<18} {:>7} {:>10.2} {:>17} {:>9} {:>8} {:>9} {:>9}",
        measured.workload,
        measured.threads,
        1e3 * measured.median_s,
        format!("{:.2}..{:.2}", 1e3 * measured.min_s, 1e3 * measured.max_s),
        optional(measured.images_per_s, 0),
        optional(measured.gflops, 1),
        share.map_or_else(
            || "-".to_owned(),
            |(gflops, sgemm)| format!("{:.0} %", 100.0 * gflops / sgemm)
        ),
        optional(measured.peak_rss_mib, 0),
    );
    if let Some(other) = other {
        let memory = other.peak_rss_mib.zip(measured.peak_rss_mib);
        line += &format!(
            " {:>7.2}x {:>8}  {}",
            other.median_s / measured.median_s,
            memory.map_or_else(
                || "-".to_owned(),
                |(other, own)| format!("{:.2}x", own / other)
            ),
            other.peer
        );
    }
    line
}

fn optional(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}
