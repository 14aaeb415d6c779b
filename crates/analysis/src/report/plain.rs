//! The same document without pictures: Markdown, and a table for a terminal.

use super::document::{Document, Line, Table};

/// The document as Markdown (tables as in GitHub's dialect).
pub(crate) fn markdown(document: &Document) -> String {
    let mut out = format!("# {}: stability report\n\n", prose(&document.title));
    for warning in &document.warnings {
        out += &format!("> **Note.** {}\n\n", prose(warning));
    }
    for answer in &document.decision {
        out += &format!("## {}\n\n", answer.question);
        for sentence in &answer.sentences {
            out += &format!("{}\n\n", prose(sentence.text()));
        }
        for Line {
            name,
            word,
            reasons,
        } in &answer.lines
        {
            out += &format!("- {}: {word}; {}\n", prose(name), prose(reasons));
        }
        if let Some(note) = &answer.note {
            out += &format!("\n{}\n\n", prose(note));
        }
        if let Some(command) = &answer.command {
            out += &format!("```sh\n{}\n```\n\n", command.replace("```", "'''"));
        }
    }
    for paragraph in &document.lead {
        out += &format!("{}\n\n", prose(paragraph));
    }
    out += "## Card\n\n";
    for part in &document.card {
        out += &table(part);
    }
    out += "## Findings\n\n";
    for (i, finding) in document.findings.iter().enumerate() {
        out += &format!("{}. {}\n", i + 1, prose(finding.text()));
    }
    for (i, (subject, chapter)) in document.chapters.iter().enumerate() {
        out += &format!(
            "\n## {} {}\n\n*{}*\n\n",
            i + 1,
            subject.title,
            prose(chapter.question.as_deref().unwrap_or(subject.question))
        );
        if let Some((value, meaning)) = &chapter.number {
            out += &format!("**{}** {}\n\n", prose(value), prose(meaning));
        }
        out += &format!("{}\n\n", prose(chapter.finding.text()));
        for shown in &chapter.tables {
            out += &table(shown);
        }
        for sentence in &chapter.sentences {
            out += &format!("- {}\n", prose(sentence.text()));
        }
        if !chapter.sentences.is_empty() {
            out.push('\n');
        }
        if let Some(command) = &chapter.command {
            out += &format!("```sh\n{}\n```\n\n", command.replace("```", "'''"));
        }
        if !chapter.caveat.is_empty() {
            out += &format!("Caveat: {}\n", prose(&chapter.caveat));
        }
    }
    out
}

fn table(table: &Table) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String]| {
        format!(
            "| {} |\n",
            cells
                .iter()
                .map(|c| prose(c))
                .collect::<Vec<_>>()
                .join(" | ")
        )
    };
    let mut out = line(&table.head) + "|" + &" --- |".repeat(table.head.len()) + "\n";
    for row in &table.rows {
        out += &line(row);
    }
    format!("{out}\n{}\n\n", prose(&table.caption))
}

/// Text on one line in which nothing is markup.
fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A table in columns, for a fixed-width font; no color, no line longer than its cells ask for.
pub(crate) fn columns(table: &Table) -> String {
    let clean = |cell: &str| {
        cell.chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect::<String>()
    };
    let rows: Vec<Vec<String>> = std::iter::once(&table.head)
        .chain(&table.rows)
        .map(|row| row.iter().map(|c| clean(c)).collect())
        .collect();
    let widths: Vec<usize> = (0..table.head.len())
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|c| c.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for (i, row) in rows.iter().enumerate() {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        out += line.join("  ").trim_end();
        out.push('\n');
        if i == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            out += &(rules.join("  ") + "\n");
        }
    }
    out
}
