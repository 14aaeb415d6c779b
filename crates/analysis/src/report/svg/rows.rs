//! Named rows under one shared axis: intervals, dots, bars, half-densities.

use super::panel::{Axis, Panel, SMALL};
use super::scale::Extent;
use super::series::Series;
use super::size::WIDTH;
use super::text::{coordinate as c, escape, fit, push, width};

/// Rows under construction. Names stand at the left if all are short, above their row otherwise.
pub(crate) struct Rows {
    panel: Panel,
    first: f64,
    pitch: f64,
    /// Names that stand above their row: drawn last, so that no mark crosses them.
    names: Vec<(f64, String)>,
}

impl Rows {
    /// Empty rows with names, `pitch` units each.
    pub(crate) fn new(title: &str, axis: &Axis, names: &[String], pitch: f64) -> Self {
        let widest = names.iter().map(|n| width(n, SMALL)).fold(0.0, f64::max);
        let beside = widest <= 0.32 * WIDTH;
        let (left, lift) = if beside {
            (widest + 14.0, 0.0)
        } else {
            (8.0, 17.0)
        };
        let top = if title.is_empty() { 6.0 } else { 26.0 };
        let pitch = pitch + lift;
        let bottom = top + pitch * names.len() as f64;
        let right = WIDTH - 14.0;
        let unit = Axis::new("", Extent::of([0.0, 1.0]).unwrap_or(axis.extent));
        let panel = Panel {
            x: axis.scale(left, right),
            y: unit.scale(bottom, top),
            left,
            right,
            top,
            bottom,
            height: bottom + 40.0,
            body: String::new(),
        };
        let mut rows = Self {
            panel,
            first: top + (pitch + lift) / 2.0,
            pitch,
            names: Vec::new(),
        };
        if !title.is_empty() {
            rows.panel.heading(title, None);
        }
        rows.panel.x_axis(&axis.title);
        for (row, name) in names.iter().enumerate() {
            let y = rows.y(row);
            if beside {
                rows.panel
                    .label(left - 8.0, y + 4.0, "end", "row-name", name);
            } else {
                let room = right - 2.0;
                rows.names
                    .push((y - (pitch - lift) / 2.0 - 4.0, fit(name, SMALL, room)));
            }
            if row > 0 {
                let edge = top + pitch * row as f64;
                rows.panel.rule(2.0, edge, right, edge, "grid");
            }
        }
        rows
    }

    /// Vertical center of a row, in drawing units.
    pub(crate) fn y(&self, row: usize) -> f64 {
        self.first + self.pitch * row as f64
    }

    /// An interval with end caps and the series' marker at `middle`, `offset` units below the row's center.
    #[allow(
        clippy::too_many_arguments,
        reason = "three numbers and where and how to draw them"
    )]
    pub(crate) fn interval(
        &mut self,
        row: usize,
        offset: f64,
        series: Series,
        class: &str,
        lo: f64,
        middle: f64,
        hi: f64,
    ) {
        self.whisker(row, offset, &series.class(), lo, hi);
        self.dots(row, offset, series, class, 4.2, &[middle]);
    }

    /// A range with end caps, without a marker.
    pub(crate) fn whisker(&mut self, row: usize, offset: f64, color: &str, lo: f64, hi: f64) {
        let y = self.y(row) + offset;
        if lo.is_finite() && hi.is_finite() {
            let (a, b) = (self.panel.x.at(lo), self.panel.x.at(hi));
            self.panel.body += &format!(
                "<path class=\"{color} whisker\" d=\"M{a} {y}H{b}M{a} {up}V{down}M{b} {up}V{down}\"/>",
                a = c(a),
                b = c(b),
                y = c(y),
                up = c(y - 4.0),
                down = c(y + 4.0)
            );
        }
    }

    /// Markers at the values.
    pub(crate) fn dots(
        &mut self,
        row: usize,
        offset: f64,
        series: Series,
        class: &str,
        r: f64,
        values: &[f64],
    ) {
        let y = self.y(row) + offset;
        let d: String = values
            .iter()
            .filter(|v| v.is_finite())
            .map(|v| series.marker(self.panel.x.at(*v), y, r))
            .collect();
        if !d.is_empty() {
            self.panel.body += &format!("<path class=\"{} {class}\" d=\"{d}\"/>", series.class());
        }
    }

    /// Crosses at the values: runs that failed.
    pub(crate) fn crosses(&mut self, row: usize, offset: f64, values: &[f64]) {
        let share =
            (self.panel.bottom - self.y(row) - offset) / (self.panel.bottom - self.panel.top);
        let points: Vec<_> = values.iter().map(|v| (*v, share)).collect();
        self.panel.crosses(&points);
    }

    /// A bar from `from` to `to`, `thickness` units high.
    pub(crate) fn bar(&mut self, row: usize, class: &str, from: f64, to: f64, thickness: f64) {
        let (a, b) = (self.panel.x.at(from.min(to)), self.panel.x.at(from.max(to)));
        let y = self.y(row) - thickness / 2.0;
        self.panel.body += &format!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            c(a),
            c(y),
            c(b - a),
            c(thickness)
        );
    }

    /// A thin connector between two neighboring rows at one value.
    pub(crate) fn connector(&mut self, row: usize, value: f64) {
        let x = self.panel.x.at(value);
        let (from, to) = (self.y(row), self.y(row + 1));
        self.panel.rule(x, from, x, to, "connector");
    }

    /// Half a violin above the row's center: `(value, density)`, the highest density `height` units tall.
    pub(crate) fn cloud(
        &mut self,
        row: usize,
        series: Series,
        density: &[(f64, f64)],
        height: f64,
    ) {
        let peak = density.iter().map(|p| p.1).fold(0.0, f64::max);
        let (Some(first), Some(last)) = (density.first(), density.last()) else {
            return;
        };
        if !(peak.is_finite() && peak > 0.0) {
            return;
        }
        let base = self.y(row);
        let mut d = String::from("M");
        push(&mut d, self.panel.x.at(first.0));
        d.push(' ');
        push(&mut d, base);
        for (value, density) in density {
            d.push('L');
            push(&mut d, self.panel.x.at(*value));
            d.push(' ');
            push(&mut d, base - density / peak * height);
        }
        d.push('L');
        push(&mut d, self.panel.x.at(last.0));
        d.push(' ');
        push(&mut d, base);
        self.panel.body += &format!("<path class=\"{} band80\" d=\"{d}Z\"/>", series.class());
    }

    /// Text beside a mark that reaches from `from` to `to`: at its right, else at its left, else inside.
    pub(crate) fn text(&mut self, row: usize, from: f64, to: f64, text: &str) {
        let (left, right) = (self.panel.x.at(from.min(to)), self.panel.x.at(from.max(to)));
        let y = self.y(row) + 4.0;
        let room = width(text, SMALL) + 6.0;
        let (x, anchor) = if right + room <= WIDTH {
            (right + 6.0, "start")
        } else if left - room >= self.panel.left {
            (left - 6.0, "end")
        } else {
            // A mark from end to end carries its text inside.
            (right - 6.0, "end")
        };
        self.panel.body += &format!(
            "<text class=\"note halo\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            c(x),
            c(y),
            escape(text)
        );
    }

    /// Words in place of marks, for a row without data.
    pub(crate) fn words(&mut self, row: usize, text: &str) {
        let (left, right) = (self.panel.left, self.panel.right);
        let y = self.y(row) + 4.0;
        self.panel.label(
            left + 4.0,
            y,
            "start",
            "note halo",
            &fit(text, SMALL, right - left),
        );
    }

    /// A vertical reference line through all rows.
    pub(crate) fn upright(&mut self, x: f64, class: &str) {
        let at = self.panel.x.at(x);
        let (top, bottom) = (self.panel.top, self.panel.bottom);
        self.panel.rule(at, top, at, bottom, class);
    }

    /// The whole drawing; see [`Panel::finish`].
    pub(crate) fn finish(mut self, id: &str, title: &str, description: &str) -> String {
        for (y, name) in std::mem::take(&mut self.names) {
            self.panel.label(2.0, y, "start", "row-name halo", &name);
        }
        self.panel.finish_rows(id, title, description)
    }
}
