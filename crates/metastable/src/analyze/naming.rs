//! Learner, seed and setting from the names of runs, as trackers have them: `maml-s0` by `{learner}-s{seed}`.

use anyhow::{Result, bail};

use super::sheet::Sheet;

/// What a pattern can take out of a name.
const FIELDS: [&str; 4] = ["learner", "seed", "setting", "task"];

/// A pattern cut at its braces: the text before the first field, then each field and the text behind it.
struct Pattern {
    start: String,
    fields: Vec<(String, String)>,
}

impl Pattern {
    fn parse(pattern: &str) -> Result<Self> {
        let mut pieces = pattern.split('{');
        let start = pieces.next().unwrap_or_default().to_owned();
        let mut fields: Vec<(String, String)> = Vec::new();
        for piece in pieces {
            let Some((field, behind)) = piece.split_once('}') else {
                bail!(
                    "--run-name {pattern}: a brace is not closed; an example: {{learner}}-s{{seed}}"
                );
            };
            if !FIELDS.contains(&field) || fields.iter().any(|(known, _)| known == field) {
                bail!(
                    "--run-name {pattern}: {{{field}}} is not known or occurs twice; expected {{{}}}",
                    FIELDS.join("}, {")
                );
            }
            if fields.last().is_some_and(|(_, between)| between.is_empty()) {
                bail!(
                    "--run-name {pattern}: there is no text between two fields, so the end of the first is not known"
                );
            }
            fields.push((field.to_owned(), behind.to_owned()));
        }
        if fields.is_empty() {
            bail!("--run-name {pattern}: names no field; an example: {{learner}}-s{{seed}}");
        }
        Ok(Self { start, fields })
    }

    /// The fields of a name, from its end: the last text that fits ends a field, so that a learner may hold dashes.
    fn read<'n>(&self, name: &'n str) -> Option<Vec<&'n str>> {
        let mut rest = name.strip_prefix(self.start.as_str())?;
        let mut found = Vec::new();
        for (at, (field, behind)) in self.fields.iter().enumerate().rev() {
            let is_last = at + 1 == self.fields.len();
            if is_last {
                rest = rest.strip_suffix(behind.as_str())?;
            }
            let value = match at.checked_sub(1).map(|before| &self.fields[before].1) {
                None => std::mem::take(&mut rest),
                Some(between) => {
                    let (before, value) = rest.rsplit_once(between.as_str())?;
                    rest = before;
                    value
                }
            };
            let is_number = value.chars().all(|c| c.is_ascii_digit());
            if value.is_empty() || (field == "seed" && !is_number) {
                return None;
            }
            found.push(value);
        }
        found.reverse();
        Some(found)
    }
}

/// The sheet with a column for each field of the pattern, read from the column of the runs.
pub(super) fn with_fields(file: &str, sheet: &Sheet, runs: &str, pattern: &str) -> Result<Sheet> {
    let parsed = Pattern::parse(pattern)?;
    let Some(at) = sheet.header.iter().position(|name| name == runs) else {
        bail!(
            "--run-name {pattern}: {file} has no column `{runs}`; --column run=NAME says which column it is"
        );
    };
    if let Some((field, _)) = (parsed.fields.iter()).find(|(field, _)| sheet.header.contains(field))
    {
        bail!("--run-name {pattern}: {file} has the column `{field}` already");
    }
    let mut header = sheet.header.clone();
    header.extend(parsed.fields.iter().map(|(field, _)| field.clone()));
    let mut long = sheet.like(sheet.format.clone(), header);
    for row in 0..sheet.n_rows() {
        let name = sheet.cell(row, at);
        let Some(fields) = parsed.read(name) else {
            bail!(
                "{}: column {} (`{runs}`): `{name}` does not fit --run-name {pattern}; a seed is a whole number",
                sheet.place(file, sheet.line(row)),
                at + 1
            );
        };
        let own = (0..sheet.header.len()).map(|column| sheet.cell(row, column));
        long.push(sheet.line(row) as usize, own.chain(fields));
    }
    Ok(long)
}

/// The pattern that all names fit, if they end with a number behind a dash, an underscore or an `s`: worth a hint.
pub(super) fn guess<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Option<String> {
    ["-seed", "_seed", "-s", "_s", "-", "_"]
        .into_iter()
        .map(|between| format!("{{learner}}{between}{{seed}}"))
        .find(|pattern| {
            let parsed = Pattern::parse(pattern);
            parsed.is_ok_and(|parsed| names.clone().all(|name| parsed.read(name).is_some()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_their_end() {
        let of = |pattern: &str, name: &'static str| Pattern::parse(pattern).unwrap().read(name);
        assert_eq!(of("{learner}-s{seed}", "maml-s0"), Some(vec!["maml", "0"]));
        assert_eq!(of("{learner}-{seed}", "a-b-12"), Some(vec!["a-b", "12"]));
        assert_eq!(
            of("run_{learner}_{seed}.log", "run_x_3.log"),
            Some(vec!["x", "3"])
        );
        assert_eq!(of("{learner}-{seed}", "maml-x"), None);
        assert_eq!(of("{seed}/{learner}", "4/p"), Some(vec!["4", "p"]));
        assert!(Pattern::parse("{learner}{seed}").is_err());
        assert!(Pattern::parse("{run}").is_err() && Pattern::parse("x{learner").is_err());
        let names = ["maml-s0", "proto-s1"];
        assert_eq!(
            guess(names.into_iter()).as_deref(),
            Some("{learner}-s{seed}")
        );
    }
}
