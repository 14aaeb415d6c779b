//! A square table as tinted cells with their numbers: run against run.

use super::panel::wrap;
use super::size::WIDTH;
use super::text::{coordinate as c, escape, fit, width};

/// Cells wider than this carry their number.
const READABLE: f64 = 30.0;

/// A matrix plot: `names` on both sides, `values[i][j]` tinted from 0 to `top` and written by `write`.
///
/// A cell with `None` is left blank (the diagonal). `id`, `title`, `description`: as for a panel.
pub(crate) fn matrix(
    heading: &str,
    names: &[String],
    values: &[Vec<Option<f64>>],
    top: f64,
    write: impl Fn(f64) -> String,
    (id, title, description): (&str, &str, &str),
) -> String {
    let n = names.len().max(1) as f64;
    let left = names
        .iter()
        .map(|s| width(s, 12.0))
        .fold(0.0, f64::max)
        .min(120.0)
        + 8.0;
    let head = 46.0;
    let side = ((WIDTH - left - 8.0) / n).min(64.0);
    let mut body = format!(
        "<text class=\"panel-title\" x=\"2\" y=\"15\">{}</text>",
        escape(&fit(heading, 13.5, WIDTH))
    );
    // Of many names only every so-many-th fits above the columns; of a few, each is cut to its column.
    let stride = (names.iter().map(|s| width(s, 12.0)).fold(0.0, f64::max) / (side - 4.0).max(1.0))
        .ceil()
        .max(1.0) as usize;
    let stride = if names.len() <= 8 { 1 } else { stride };
    let row_stride = (14.0 / side).ceil().max(1.0) as usize;
    for (i, name) in names.iter().enumerate() {
        let center = side * (i as f64 + 0.5);
        if i % stride == 0 {
            let room = if stride == 1 { side - 2.0 } else { WIDTH };
            body += &text(
                "tick",
                left + center,
                head - 7.0,
                "middle",
                &fit(name, 12.0, room),
            );
        }
        if i % row_stride == 0 {
            body += &text(
                "tick",
                left - 6.0,
                head + center + 4.0,
                "end",
                &fit(name, 12.0, left - 6.0),
            );
        }
        for (j, value) in values.get(i).into_iter().flatten().enumerate() {
            let (x, y) = (left + side * j as f64, head + side * i as f64);
            let Some(value) = value.filter(|v| v.is_finite()) else {
                body += &format!(
                    "<rect class=\"cell-blank\" x=\"{}\" y=\"{}\" width=\"{s}\" height=\"{s}\"/>",
                    c(x + 1.0),
                    c(y + 1.0),
                    s = c(side - 2.0)
                );
                continue;
            };
            let tint = if top > 0.0 {
                (value / top).clamp(0.0, 1.0)
            } else {
                0.0
            };
            body += &format!(
                "<rect class=\"cell\" x=\"{}\" y=\"{}\" width=\"{s}\" height=\"{s}\" fill-opacity=\"{:.2}\"/>",
                c(x + 1.0),
                c(y + 1.0),
                0.06 + 0.94 * tint,
                s = c(side - 2.0)
            );
            if side >= READABLE {
                let class = if tint > 0.7 {
                    "cell-text on"
                } else {
                    "cell-text"
                };
                body += &text(
                    class,
                    x + side / 2.0,
                    y + side / 2.0 + 4.0,
                    "middle",
                    &write(value),
                );
            }
        }
    }
    wrap(id, title, description, head + side * n + 8.0, "", &body)
}

fn text(class: &str, x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!(
        "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
        c(x),
        c(y),
        escape(text)
    )
}
