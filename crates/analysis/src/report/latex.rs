//! Tables of the report for a paper: LaTeX with the rules of `booktabs`, one file a table.

use super::document::{Document, Table};

/// A table of the report as text of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFile {
    /// A file name without extension: the chapter, and a number where it has several tables.
    pub name: String,
    /// A `table` environment with caption and label; needs `\usepackage{booktabs}`.
    pub tex: String,
}

/// The card and the tables of all chapters, in order.
pub(super) fn files(document: &Document) -> Vec<TableFile> {
    let card = std::iter::once(("card", document.card.as_slice()));
    let chapters = document.chapters.iter();
    let chapters = chapters.map(|(subject, chapter)| (subject.id, chapter.tables.as_slice()));
    card.chain(chapters)
        .flat_map(|(name, tables)| {
            let shown: Vec<&Table> = tables.iter().filter(|it| !it.rows.is_empty()).collect();
            let many = shown.len() > 1;
            shown.into_iter().enumerate().map(move |(at, table)| {
                let name = if many {
                    format!("{name}-{}", at + 1)
                } else {
                    name.to_owned()
                };
                let tex = tex(table, &name);
                TableFile { name, tex }
            })
        })
        .collect()
}

fn tex(table: &Table, label: &str) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        format!("    {} \\\\\n", cells.join(" & "))
    };
    let columns: String = (0..table.head.len())
        .map(|at| if at == 0 { 'l' } else { 'r' })
        .collect();
    let rows: String = table.rows.iter().map(|row| line(row)).collect();
    format!(
        "% \\usepackage{{booktabs}}\n\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n  \\label{{tab:{label}}}\n  \
         \\begin{{tabular}}{{{columns}}}\n    \\toprule\n{}    \\midrule\n{rows}    \\bottomrule\n  \\end{{tabular}}\n\\end{{table}}\n",
        escape(&table.caption),
        line(&table.head)
    )
}

/// Text as LaTeX reads it: the ten characters that mean something, and the signs beyond ASCII that our tables hold.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out += "\\textbackslash{}",
            '~' => out += "\\textasciitilde{}",
            '^' => out += "\\textasciicircum{}",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            // After the end of a row a bracket would begin an argument, and a star a command.
            '[' | ']' | '*' => {
                out.push('{');
                out.push(c);
                out.push('}');
            }
            '\u{d7}' => out += "$\\times$",
            '\u{b7}' => out += "$\\cdot$",
            '\u{b1}' => out += "$\\pm$",
            '\u{2212}' => out += "$-$",
            '\u{2264}' => out += "$\\leq$",
            '\u{2265}' => out += "$\\geq$",
            '<' => out += "$<$",
            '>' => out += "$>$",
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_as_latex() {
        let table = Table {
            caption: "Runs & tasks, in %".to_owned(),
            head: vec!["learner".to_owned(), "runs \u{d7} tasks".to_owned()],
            rows: vec![vec!["my_net {a}".to_owned(), "3 \u{d7} 100".to_owned()]],
        };
        assert_eq!(
            tex(&table, "card"),
            "% \\usepackage{booktabs}\n\\begin{table}\n  \\centering\n  \\caption{Runs \\& tasks, in \\%}\n  \\label{tab:card}\n  \
             \\begin{tabular}{lr}\n    \\toprule\n    learner & runs $\\times$ tasks \\\\\n    \\midrule\n    my\\_net \\{a\\} & 3 \
             $\\times$ 100 \\\\\n    \\bottomrule\n  \\end{tabular}\n\\end{table}\n"
        );
        assert_eq!(escape("[ours]*"), "{[}ours{]}{*}");
        assert_eq!(
            escape("a\\b^c~d"),
            "a\\textbackslash{}b\\textasciicircum{}c\\textasciitilde{}d"
        );
    }
}
