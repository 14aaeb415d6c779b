//! What tells one series from another: a color, a dash and a marker, all three.

use super::text::push;

/// Dash patterns, so chosen that neighbors differ at a glance.
const DASHES: [&str; 6] = ["", "7 3", "2 3", "9 3 2 3", "12 4", "5 2 1 2 1 2"];

/// Number of color classes that the style sheet defines (`c0`, `c1`, ...).
pub(crate) const N_COLORS: usize = 6;

/// Number of marker shapes.
const N_MARKERS: usize = 6;

/// The look of series number `0`, `1`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Series(pub(crate) usize);

impl Series {
    /// CSS classes: one sets the color, the other is the series', by which a reader shows and hides it.
    pub(crate) fn class(self) -> String {
        format!("c{} s{}", self.0 % N_COLORS, self.0)
    }

    /// Dash attribute of its line, empty for a solid one. From the seventh series on, colors meet other dashes.
    pub(crate) fn dash(self) -> String {
        let dash = DASHES[(self.0 + self.0 / N_COLORS) % DASHES.len()];
        if dash.is_empty() {
            String::new()
        } else {
            format!(" stroke-dasharray=\"{dash}\"")
        }
    }

    /// Path of its marker around `(x, y)` with "radius" `r`; all shapes have about the same area.
    pub(crate) fn marker(self, x: f64, y: f64, r: f64) -> String {
        let corners: &[(f64, f64)] = match (self.0 + self.0 / N_MARKERS) % N_MARKERS {
            0 => return circle(x, y, r),
            1 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            2 => &[(0.0, -1.25), (1.15, 0.85), (-1.15, 0.85)],
            3 => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
            4 => &[(0.0, 1.25), (1.15, -0.85), (-1.15, -0.85)],
            _ => &[
                (-0.4, -1.2),
                (0.4, -1.2),
                (0.4, -0.4),
                (1.2, -0.4),
                (1.2, 0.4),
                (0.4, 0.4),
                (0.4, 1.2),
                (-0.4, 1.2),
                (-0.4, 0.4),
                (-1.2, 0.4),
                (-1.2, -0.4),
                (-0.4, -0.4),
            ],
        };
        let mut path = String::new();
        for (i, (dx, dy)) in corners.iter().enumerate() {
            path.push(if i == 0 { 'M' } else { 'L' });
            push(&mut path, x + dx * r);
            path.push(' ');
            push(&mut path, y + dy * r);
        }
        path + "Z"
    }

    /// A small drawing for a legend: line, and marker if `marked`.
    pub(crate) fn swatch(self, marked: bool) -> String {
        let marker = if marked {
            format!(
                "<path class=\"{} dot\" d=\"{}\"/>",
                self.class(),
                self.marker(15.0, 6.0, 3.6)
            )
        } else {
            String::new()
        };
        let line = format!(
            "<path class=\"{} line\" d=\"M0 6H30\"{}/>",
            self.class(),
            self.dash()
        );
        swatch(&(line + &marker))
    }
}

/// A legend drawing of 30 x 12 units around `body`; the words beside it carry the meaning, so it is hidden from readers.
pub(crate) fn swatch(body: &str) -> String {
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 30 12\" width=\"30\" height=\"12\" aria-hidden=\"true\">{body}</svg>"
    )
}

fn circle(x: f64, y: f64, r: f64) -> String {
    let mut path = String::from("M");
    push(&mut path, x - r);
    path.push(' ');
    push(&mut path, y);
    for side in [2.0, -2.0] {
        path.push('a');
        push(&mut path, r);
        path.push(' ');
        push(&mut path, r);
        path.push_str(" 0 1 0 ");
        push(&mut path, side * r);
        path.push_str(" 0");
    }
    path + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_series_all_look_different() {
        let looks: Vec<_> = (0..12)
            .map(|i| {
                let s = Series(i);
                (s.class(), s.dash(), s.marker(0.0, 0.0, 3.0))
            })
            .collect();
        for (i, a) in looks.iter().enumerate() {
            assert!(
                looks[..i].iter().all(|b| a != b),
                "series {i} repeats an earlier look"
            );
        }
    }
}
