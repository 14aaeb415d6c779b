//! Figures as files: one drawing for each figure, with the page's marks and the light palette, and nothing from outside.

use super::document::{Document, Figure};
use super::svg::WIDTH;
use super::svg::series::N_COLORS;
use super::svg::text::{coordinate as c, escape, width};

/// Light palette first, then dark.
pub(super) const PALETTE: &str = include_str!("palette.css");
/// Classes of marks.
pub(super) const MARKS: &str = include_str!("marks.css");

/// Face of the text; drawings are laid out for the widest of these, DejaVu Sans.
const FACES: &str = "'DejaVu Sans', 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";
/// Units between panels.
const GAP: [f64; 2] = [32.0, 22.0];
/// Units around everything.
const MARGIN: f64 = 12.0;
/// Height of a line of the legend, and size of its text.
const LEGEND: [f64; 2] = [20.0, 12.5];

/// A figure of the report as text of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FigureFile {
    /// Its anchor in the report: a file name without extension.
    pub name: String,
    /// What it shows.
    pub caption: String,
    /// The drawing.
    pub svg: String,
    /// The numbers behind it.
    pub csv: String,
}

/// All figures of a document, in order.
pub(super) fn files(document: &Document) -> Vec<FigureFile> {
    let sheet = sheet();
    let figures = document
        .chapters
        .iter()
        .flat_map(|(_, chapter)| &chapter.figures);
    figures.map(|figure| file(figure, &sheet)).collect()
}

fn file(figure: &Figure, sheet: &str) -> FigureFile {
    let n_columns = figure.panels.len().clamp(1, 2);
    let inner = n_columns as f64 * (WIDTH + GAP[0]) - GAP[0];
    let (mut body, mut y) = legend(&figure.legend, inner);
    for row in figure.panels.chunks(n_columns) {
        let mut tallest: f64 = 0.0;
        for (column, panel) in row.iter().enumerate() {
            let height = height(panel);
            let place = format!(
                "<svg x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"plot\"",
                c(MARGIN + column as f64 * (WIDTH + GAP[0])),
                c(y),
                c(WIDTH),
                c(height)
            );
            body += &panel.replacen("<svg class=\"plot\"", &place, 1);
            tallest = tallest.max(height);
        }
        y += tallest + GAP[1];
    }
    let (w, h) = (inner + 2.0 * MARGIN, y - GAP[1] + MARGIN);
    let id = escape(&figure.id);
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" font-family=\"{FACES}\" \
         role=\"group\" aria-labelledby=\"{id}-caption\">\n<desc id=\"{id}-caption\">{}</desc>\n<style>\n{sheet}</style>\n\
         <rect class=\"paper\" width=\"{w}\" height=\"{h}\"/>\n{body}</svg>\n",
        escape(&figure.caption),
        w = c(w),
        h = c(h)
    );
    FigureFile {
        name: figure.id.clone(),
        caption: figure.caption.clone(),
        svg,
        csv: figure.data.text().to_owned(),
    }
}

/// The legend in as many lines as it needs, and the height at which panels start.
fn legend(entries: &[(String, String)], room: f64) -> (String, f64) {
    let [line, size] = LEGEND;
    let (mut x, mut y) = (0.0, MARGIN);
    let mut body = String::new();
    for (swatch, words) in entries {
        let step = 38.0 + width(words, size);
        if x > 0.0 && x + step > room {
            (x, y) = (0.0, y + line);
        }
        let place = format!(
            "<svg x=\"{}\" y=\"{}\" class=\"swatch\"",
            c(MARGIN + x),
            c(y)
        );
        body += &swatch.replacen("<svg class=\"swatch\"", &place, 1);
        body += &format!(
            "<text class=\"legend\" x=\"{}\" y=\"{}\">{}</text>\n",
            c(MARGIN + x + 38.0),
            c(y + 10.5),
            escape(words)
        );
        x += step + 20.0;
    }
    let below = if entries.is_empty() { 0.0 } else { line + 4.0 };
    (body, y + below)
}

/// Height of a panel: the last number of its `viewBox`.
fn height(panel: &str) -> f64 {
    let view = panel.split("viewBox=\"").nth(1).unwrap_or_default();
    let view = view.split('"').next().unwrap_or_default();
    let last = view.rsplit(' ').next().unwrap_or_default();
    last.parse().unwrap_or(0.0)
}

/// The marks with the light palette written out: not every program that reads SVG knows variables of CSS.
fn sheet() -> String {
    let light = PALETTE.split('}').next().unwrap_or_default();
    let value = |name: &str| {
        let (_, rest) = light.split_once(&format!("{name}:"))?;
        Some(rest.split(';').next().unwrap_or_default().trim().to_owned())
    };
    let mut sheet = format!(
        ".paper {{ fill: {paper}; }}\n.legend {{ fill: {ink}; font-size: {}px; }}\n",
        LEGEND[1],
        paper = value("--paper").unwrap_or_default(),
        ink = value("--ink").unwrap_or_default()
    );
    for (selectors, body) in rules() {
        let (of_series, plain): (Vec<&str>, Vec<&str>) = body
            .split_inclusive(';')
            .partition(|part| part.contains("var(--c)"));
        let plain: String = plain.concat();
        if !plain.trim().is_empty() {
            sheet += &format!("{selectors} {{{plain}}}\n");
        }
        // `--c` is the color of the series, a class beside that of the mark.
        for series in 0..N_COLORS {
            let of_series = of_series.concat();
            if !of_series.is_empty() {
                let each = selectors.split(", ").map(|s| format!(".c{series}{s}"));
                let selectors = each.collect::<Vec<_>>().join(", ");
                let body = of_series.replace("var(--c)", &format!("var(--c{series})"));
                sheet += &format!("{selectors} {{{body} }}\n");
            }
        }
    }
    let mut parts = sheet.split("var(");
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(')').unwrap_or((part, ""));
        written += &value(name).unwrap_or_default();
        written += rest;
    }
    written
}

/// Selectors and bodies of the marks, but for those that say which class has which color.
fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    MARKS
        .lines()
        .filter(|line| !line.starts_with("/*") && !line.contains("--c: var("))
        .filter_map(|line| line.trim_end_matches('}').split_once(" {"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sheet_has_colors_instead_of_variables() {
        let sheet = sheet();
        assert!(!sheet.contains("var(") && !sheet.contains("--"), "{sheet}");
        assert!(
            sheet.contains(".c1.line, .c1.thin, .c1.median { stroke: #d04f00; }"),
            "{sheet}"
        );
        assert!(
            sheet.contains(".grid { stroke: #d9dee3; stroke-width: .7; fill: none; }"),
            "{sheet}"
        );
        assert!(!sheet.contains(": ;"), "every variable is known\n{sheet}");
    }
}
