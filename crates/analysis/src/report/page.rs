//! The HTML page: one file, nothing from outside; valid as XML too. A small script folds, sorts, shows and hides, reads values and saves
//! figures; without it the page shows the same, whole.

use super::document::{Chapter, Document, Figure, Line, Table, count};
use super::figures::{MARKS, PALETTE};
use super::input::{self, Input};
use super::subject::{Family, Subject};
use super::svg::text::escape;

const STYLE: &str = include_str!("style.css");

/// The page's own script: without signs that HTML and XML read differently.
const SCRIPT: &str = include_str!("page.js");

/// What a browser may do with the page: draw it, and run its own script, known by its digest. It loads nothing and sends nothing, whatever
/// a name in it says; the style is the page's own; images are those that it holds itself, or that its script drew; the data of figures are links
/// that it holds itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; \
     script-src 'sha256-gDkmOSLDvzlwUrk434Hnd8buTqd8mNpOb0KOEfyQVvg='";

/// Rows of data that a figure also shows on the page itself.
const MOST_SHOWN: usize = 40;

/// The document as a page.
pub(crate) fn render(document: &Document, inputs: &[Input]) -> String {
    let title = escape(&document.title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{title}: stability report</title>\n<style>\n{PALETTE}{STYLE}{MARKS}</style>\n</head>\n<body>\n\
         <header>\n<p class=\"kicker\">Stability report</p>\n<h1>{title}</h1>\n"
    );
    for warning in &document.warnings {
        out += &format!(
            "<p class=\"warning\"><strong>Note.</strong> {}</p>\n",
            escape(warning)
        );
    }
    out += "</header>\n<main>\n";
    out += &decision(document);
    for paragraph in &document.lead {
        out += &format!("<p>{}</p>\n", escape(paragraph));
    }
    out += &navigation(document, !inputs.is_empty());
    out += "<section id=\"card\">\n<h2>Card</h2>\n";
    for part in &document.card {
        out += &table(part, "cards");
    }
    out += "</section>\n<section id=\"findings\">\n<h2>Findings</h2>\n<ol class=\"findings\">\n";
    for finding in &document.findings {
        out += &format!("<li>{}</li>\n", escape(finding.text()));
    }
    out += "</ol>\n</section>\n";
    out += &input::html(inputs);
    for (i, (subject, chapter)) in document.chapters.iter().enumerate() {
        out += &section(i + 1, subject, chapter);
    }
    out + &format!("</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n")
}

/// The four answers, each in a box of its own.
fn decision(document: &Document) -> String {
    let mut out = String::from("<section id=\"decision\" aria-label=\"Decision\">\n");
    for answer in &document.decision {
        out += &format!("<article>\n<h2>{}</h2>\n", escape(answer.question));
        for (at, sentence) in answer.sentences.iter().enumerate() {
            let class = if at == 0 { " class=\"main\"" } else { "" };
            out += &format!("<p{class}>{}</p>\n", escape(sentence.text()));
        }
        if !answer.lines.is_empty() {
            out += "<ul class=\"verdicts\">\n";
            for Line {
                name,
                word,
                reasons,
            } in &answer.lines
            {
                out += &format!(
                    "<li><strong>{}</strong> <span class=\"light {word}\">{word}</span> {}</li>\n",
                    escape(name),
                    escape(reasons)
                );
            }
            out += "</ul>\n";
        }
        if let Some(note) = &answer.note {
            out += &format!("<p class=\"note\">{}</p>\n", escape(note));
        }
        if let Some(command) = &answer.command {
            out += &format!(
                "<pre class=\"command\" tabindex=\"0\"><code>{}</code></pre>\n",
                escape(command)
            );
        }
        out += "</article>\n";
    }
    out + "</section>\n"
}

/// Links to all chapters, those of one family together.
fn navigation(document: &Document, has_data: bool) -> String {
    let link = |(id, title): (&str, &str)| format!("<a href=\"#{id}\">{}</a>\n", escape(title));
    let mut out = String::from("<nav aria-label=\"Chapters\"><ul>\n");
    out += &format!("<li>{}</li>\n", link(("decision", "Decision")));
    out += &format!("<li>{}</li>\n", link(("card", "Card")));
    out += &format!("<li>{}</li>\n", link(("findings", "Findings")));
    if has_data {
        out += &format!("<li>{}</li>\n", link(("data", "Data")));
    }
    for family in Family::ALL {
        let subjects = document.chapters.iter().map(|(subject, _)| *subject);
        let of_family: Vec<&Subject> = subjects.filter(|s| s.family == family).collect();
        let links = of_family.iter().map(|s| link((s.id, s.title)));
        let links: String = links.collect();
        match of_family.len() {
            0 => {}
            1 => out += &format!("<li>{links}</li>\n"),
            _ => out += &format!("<li><span>{}</span> {links}</li>\n", family.name()),
        }
    }
    out + "</ul></nav>\n"
}

fn section(ordinal: usize, subject: &Subject, chapter: &Chapter) -> String {
    let mut out = format!(
        "<section id=\"{}\">\n<details class=\"chapter\" open=\"open\"><summary><h2><span class=\"ordinal\">{ordinal}</span> {}</h2></summary>\n\
         <p class=\"question\">{}</p>\n",
        subject.id,
        escape(subject.title),
        escape(chapter.question.as_deref().unwrap_or(subject.question))
    );
    if let Some((value, meaning)) = &chapter.number {
        out += &format!(
            "<p class=\"number\"><strong>{}</strong> <span>{}</span></p>\n",
            escape(value),
            escape(meaning)
        );
    }
    out += &format!(
        "<p class=\"finding\">{}</p>\n",
        escape(chapter.finding.text())
    );
    for shown in &chapter.figures {
        out += &figure(shown);
    }
    for shown in &chapter.tables {
        out += &table(shown, "scroll");
    }
    if !chapter.sentences.is_empty() {
        out += &format!(
            "<details class=\"words\"><summary>In words ({})</summary>\n<ul class=\"sentences\">\n",
            count(chapter.sentences.len(), "sentence")
        );
        for sentence in &chapter.sentences {
            out += &format!("<li>{}</li>\n", escape(sentence.text()));
        }
        out += "</ul></details>\n";
    }
    if let Some(command) = &chapter.command {
        out += &format!(
            "<pre class=\"command\" tabindex=\"0\"><code>{}</code></pre>\n",
            escape(command)
        );
    }
    if !chapter.caveat.is_empty() {
        out += &format!(
            "<p class=\"caveat\"><strong>Caveat.</strong> {}</p>\n",
            escape(&chapter.caveat)
        );
    }
    out + "</details>\n</section>\n"
}

fn figure(figure: &Figure) -> String {
    let mut out = format!("<figure id=\"{}\">\n", figure.id);
    if !figure.legend.is_empty() {
        out += "<ul class=\"legend\">\n";
        for (swatch, words) in &figure.legend {
            out += &format!("<li>{swatch} {}</li>\n", escape(words));
        }
        out += "</ul>\n";
    }
    let layout = if figure.panels.len() == 1 {
        "panels one"
    } else {
        "panels"
    };
    out += &format!(
        "<div class=\"{layout}\">\n{}</div>\n",
        figure.panels.concat()
    );
    let (id, rows) = (escape(&figure.id), count(figure.data.n_rows(), "row"));
    out += &format!(
        "<figcaption>{}</figcaption>\n<p class=\"data\"><a download=\"{id}.csv\" href=\"{}\">Data of this figure</a> (CSV, {rows})</p>\n",
        escape(&figure.caption),
        link_of(figure.data.text())
    );
    if figure.data.n_rows() <= MOST_SHOWN {
        out += &format!(
            "<details class=\"numbers\"><summary>Show the data</summary><pre tabindex=\"0\">{}</pre></details>\n",
            escape(figure.data.text())
        );
    }
    out + "</figure>\n"
}

/// CSV as a link that needs no server (RFC 2397).
fn link_of(csv: &str) -> String {
    let mut link = String::from("data:text/csv;charset=utf-8,");
    for byte in csv.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b',' | b'.' | b'-' | b'_' => {
                link.push(char::from(byte));
            }
            _ => link += &format!("%{byte:02X}"),
        }
    }
    link
}

/// `kind` is `cards` (rows become cards on a narrow screen) or `scroll` (the table scrolls inside itself).
fn table(table: &Table, kind: &str) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    // Roles are stated because a table laid out as cards loses its own in some browsers.
    let mut out = format!(
        "<div class=\"{kind}\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\n<table role=\"table\">\n<caption>{caption}</caption>\n<thead role=\"rowgroup\"><tr role=\"row\">",
        caption = escape(&table.caption)
    );
    for head in &table.head {
        out += &format!(
            "<th scope=\"col\" role=\"columnheader\">{}</th>",
            escape(head)
        );
    }
    out += "</tr></thead>\n<tbody role=\"rowgroup\">\n";
    for row in &table.rows {
        out += "<tr role=\"row\">";
        for (i, (head, cell)) in table.head.iter().zip(row).enumerate() {
            out += &if i == 0 {
                format!("<th scope=\"row\" role=\"rowheader\">{}</th>", escape(cell))
            } else {
                format!(
                    "<td role=\"cell\" data-label=\"{}\">{}</td>",
                    escape(head),
                    cells(cell)
                )
            };
        }
        out += "</tr>\n";
    }
    out + "</tbody>\n</table>\n</div>\n"
}

/// An interval or a null value in brackets goes to a line of its own, muted: the eye runs down the estimates. What follows a
/// dot is the word of a light.
fn cells(cell: &str) -> String {
    if let Some((cell, word)) = cell.rsplit_once(" · ") {
        let cell = cells(cell);
        let cell = cell.strip_suffix("</span>").unwrap_or(&cell);
        return format!(
            "{cell} <span class=\"light {word}\">{word}</span></span>",
            word = escape(word)
        );
    }
    match cell.find(" [").or_else(|| cell.find(" (")) {
        Some(i) => format!(
            "<span>{} <span class=\"range\">{}</span></span>",
            escape(&cell[..i]),
            escape(&cell[i + 1..])
        ),
        None => format!("<span>{}</span>", escape(cell)),
    }
}
