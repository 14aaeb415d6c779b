//! One framed plot: two axes with round ticks, and marks drawn in the order they are asked for.

use super::scale::{Extent, Scale};
use super::series::Series;
use super::size::WIDTH;
use super::text::{coordinate as c, escape, fit, push, width};

/// Size of tick labels and notes.
pub(crate) const SMALL: f64 = 12.0;
/// Size of a panel's title as its width is estimated: 13.5 units, and bold type runs a tenth wider.
const TITLE: f64 = 14.9;

/// A panel's title, `name: rest`: a long name is cut so that the rest stays readable.
pub(crate) fn heading(name: &str, rest: &str) -> String {
    if rest.is_empty() {
        return name.to_owned();
    }
    let rest = format!(": {rest}");
    fit(name, TITLE, (WIDTH - 4.0 - width(&rest, TITLE)).max(80.0)) + &rest
}

/// What an axis says and spans.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// Quantity and unit.
    pub(crate) title: String,
    /// Values to hold.
    pub(crate) extent: Extent,
    /// Logarithmic; only sensible above zero.
    pub(crate) logarithmic: bool,
}

impl Axis {
    /// A linear axis.
    pub(crate) fn new(title: &str, extent: Extent) -> Self {
        Self {
            title: title.to_owned(),
            extent,
            logarithmic: false,
        }
    }

    pub(super) fn scale(&self, from: f64, to: f64) -> Scale {
        if self.logarithmic {
            Scale::logarithmic(self.extent, from, to)
        } else {
            Scale::linear(self.extent, from, to)
        }
    }
}

/// A plot under construction.
pub(crate) struct Panel {
    pub(super) x: Scale,
    pub(super) y: Scale,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) height: f64,
    pub(super) body: String,
}

impl Panel {
    /// An empty plot of `height` units, with grid, ticks and titles.
    pub(crate) fn new(title: &str, x: &Axis, y: &Axis, height: f64) -> Self {
        let (top, bottom) = (46.0, height - 40.0);
        let y_scale = y.scale(bottom, top);
        let y_ticks = y_scale.ticks(((bottom - top) / 34.0) as usize);
        let label_width = y_ticks
            .iter()
            .map(|(_, l)| width(l, SMALL))
            .fold(0.0, f64::max);
        let (left, right) = (label_width + 10.0, WIDTH - 14.0);
        let x_scale = x.scale(left, right);
        let mut panel = Self {
            x: x_scale,
            y: y_scale,
            left,
            right,
            top,
            bottom,
            height,
            body: String::new(),
        };
        panel.heading(title, Some(&y.title));
        for (value, label) in &y_ticks {
            let at = panel.y.at(*value);
            panel.rule(left, at, right, at, "grid");
            panel.label(left - 6.0, at + 4.0, "end", "tick", label);
        }
        panel.x_axis(&x.title);
        panel
    }

    /// Title in the first line, the vertical axis' title (upright, so that it reads without a turn) in the second.
    pub(super) fn heading(&mut self, title: &str, y_title: Option<&str>) {
        let room = WIDTH - 4.0;
        self.label(2.0, 15.0, "start", "panel-title", &fit(title, TITLE, room));
        if let Some(y_title) = y_title {
            self.label(2.0, 34.0, "start", "axis-title", &fit(y_title, SMALL, room));
        }
    }

    /// Ticks, labels and title of the horizontal axis: as many as fit side by side.
    pub(super) fn x_axis(&mut self, title: &str) {
        let room = self.right - self.left;
        let mut ticks = Vec::new();
        for most in (2..=7).rev() {
            ticks = self.x.ticks(most);
            let widest = ticks
                .iter()
                .map(|(_, l)| width(l, SMALL))
                .fold(0.0, f64::max);
            if (widest + 14.0) * ticks.len() as f64 <= room {
                break;
            }
        }
        let (top, bottom) = (self.top, self.bottom);
        for (value, label) in &ticks {
            let at = self.x.at(*value);
            self.rule(at, top, at, bottom, "grid");
            // A label centered under the last tick must not leave the drawing.
            let half = width(label, SMALL) / 2.0;
            self.label(
                at.clamp(half, WIDTH - half),
                bottom + 16.0,
                "middle",
                "tick",
                label,
            );
        }
        self.rule(self.left, bottom, self.right, bottom, "axis");
        let center = (self.left + self.right) / 2.0;
        self.label(
            center,
            bottom + 33.0,
            "middle",
            "axis-title",
            &fit(title, SMALL, WIDTH),
        );
    }

    /// A straight line in drawing units.
    pub(super) fn rule(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, class: &str) {
        self.body += &format!(
            "<path class=\"{class}\" d=\"M{} {}L{} {}\"/>",
            c(x1),
            c(y1),
            c(x2),
            c(y2)
        );
    }

    /// Text in drawing units.
    pub(super) fn label(&mut self, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
        self.body += &format!(
            "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            c(x),
            c(y),
            escape(text)
        );
    }

    /// A filled band between `lo` and `hi` at each `x`; breaks where a value is not finite.
    pub(crate) fn band(&mut self, series: Series, class: &str, points: &[(f64, f64, f64)]) {
        let finite = |p: &&(f64, f64, f64)| p.0.is_finite() && p.1.is_finite() && p.2.is_finite();
        for piece in points
            .split(|p| !finite(&p))
            .filter(|piece| !piece.is_empty())
        {
            let mut d = String::new();
            let upper = piece.iter().map(|p| (p.0, p.2));
            let lower = piece.iter().rev().map(|p| (p.0, p.1));
            for (i, (x, y)) in upper.chain(lower).enumerate() {
                self.go(&mut d, i == 0, x, y);
            }
            self.body += &format!("<path class=\"{} {class}\" d=\"{d}Z\"/>", series.class());
        }
    }

    /// A line through the points; breaks where a value is not finite.
    pub(crate) fn line(&mut self, series: Series, class: &str, points: &[(f64, f64)]) {
        let mut d = String::new();
        let mut fresh = true;
        for &(x, y) in points {
            if x.is_finite() && y.is_finite() {
                self.go(&mut d, fresh, x, y);
                fresh = false;
            } else {
                fresh = true;
            }
        }
        if !d.is_empty() {
            let dash = if class.contains("line") {
                series.dash()
            } else {
                String::new()
            };
            self.body += &format!(
                "<path class=\"{} {class}\" d=\"{d}\"{dash}/>",
                series.class()
            );
        }
    }

    /// A step function that jumps to `y` at each `x`, and runs on to the frame's right edge.
    pub(crate) fn stairs(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut d = String::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            if i == 0 {
                self.go(&mut d, true, x, y);
            } else {
                d.push('H');
                push(&mut d, self.x.at(x));
                d.push('V');
                push(&mut d, self.y.at(y));
            }
        }
        d.push('H');
        push(&mut d, self.right);
        self.body += &format!("<path class=\"{class}\" d=\"{d}\"/>");
    }

    /// Markers of the series.
    pub(crate) fn dots(&mut self, series: Series, class: &str, r: f64, points: &[(f64, f64)]) {
        let mut d = String::new();
        for &(x, y) in points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()) {
            d += &series.marker(self.x.at(x), self.y.at(y), r);
        }
        if !d.is_empty() {
            self.body += &format!("<path class=\"{} {class}\" d=\"{d}\"/>", series.class());
        }
    }

    /// Many small round points, as one path.
    pub(crate) fn cloud(&mut self, series: Series, points: &[(f64, f64)]) {
        let mut d = String::new();
        for &(x, y) in points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()) {
            self.go(&mut d, true, x, y);
            d.push_str("h0");
        }
        if !d.is_empty() {
            self.body += &format!("<path class=\"{} cloud\" d=\"{d}\"/>", series.class());
        }
    }

    /// Crosses: runs that failed, whatever their series.
    pub(crate) fn crosses(&mut self, points: &[(f64, f64)]) {
        let mut d = String::new();
        for &(x, y) in points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()) {
            let (x, y) = (self.x.at(x), self.y.at(y));
            for (dx, dy) in [(-4.0, -4.0), (-4.0, 4.0)] {
                d += &format!("M{} {}L{} {}", c(x + dx), c(y + dy), c(x - dx), c(y - dy));
            }
        }
        if !d.is_empty() {
            self.body += &format!("<path class=\"cross\" d=\"{d}\"/>");
        }
    }

    /// A horizontal reference line with a short label above its right end.
    pub(crate) fn level(&mut self, y: f64, label: &str) {
        let at = self.y.at(y);
        self.rule(self.left, at, self.right, at, "reference");
        let above = if at - 4.0 > self.top + SMALL {
            at - 4.0
        } else {
            at + 13.0
        };
        self.label(self.right, above, "end", "note halo", label);
    }

    /// A vertical reference line.
    pub(crate) fn upright(&mut self, x: f64, class: &str) {
        let at = self.x.at(x);
        self.rule(at, self.top, at, self.bottom, class);
    }

    /// The whole drawing. `id` must be unique on the page; title and description are what a screen reader says.
    pub(crate) fn finish(self, id: &str, title: &str, description: &str) -> String {
        let scales = format!(
            " data-x=\"{}\" data-y=\"{}\"",
            self.x.attribute(),
            self.y.attribute()
        );
        wrap(id, title, description, self.height, &scales, &self.body)
    }

    /// The same of rows, whose vertical axis has no values.
    pub(super) fn finish_rows(self, id: &str, title: &str, description: &str) -> String {
        let scale = format!(" data-x=\"{}\"", self.x.attribute());
        wrap(id, title, description, self.height, &scale, &self.body)
    }

    fn go(&self, d: &mut String, fresh: bool, x: f64, y: f64) {
        d.push(if fresh { 'M' } else { 'L' });
        push(d, self.x.at(x));
        d.push(' ');
        push(d, self.y.at(y));
    }
}

/// An `<svg>` element with a name, a description and its scales.
pub(super) fn wrap(
    id: &str,
    title: &str,
    description: &str,
    height: f64,
    scales: &str,
    body: &str,
) -> String {
    format!(
        "<svg class=\"plot\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" viewBox=\"0 0 {} {}\"{scales} \
         xmlns=\"http://www.w3.org/2000/svg\"><title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>{body}</svg>\n",
        c(WIDTH),
        c(height),
        escape(title),
        escape(description)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(lo: f64, hi: f64) -> Axis {
        Axis::new("value", Extent::of([lo, hi]).unwrap())
    }

    #[test]
    fn lines_break_where_values_are_missing() {
        let mut panel = Panel::new("t", &axis(0.0, 4.0), &axis(0.0, 1.0), 240.0);
        let before = panel.body.len();
        panel.line(
            Series(0),
            "line",
            &[(0.0, 0.0), (1.0, f64::NAN), (2.0, 1.0), (3.0, 1.0)],
        );
        let path = &panel.body[before..];
        assert_eq!(path.matches('M').count(), 2);
        assert!(!path.contains("NaN"));
    }

    #[test]
    fn markup_in_labels_stays_text() {
        let panel = Panel::new("<b>", &axis(0.0, 1.0), &axis(0.0, 1.0), 200.0);
        let svg = panel.finish("f", "a & b", "\"d\"");
        assert!(svg.contains("&lt;b&gt;") && svg.contains("a &amp; b") && !svg.contains("<b>"));
    }
}
