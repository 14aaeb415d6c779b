//! Every setting of the runs, and the command that makes them again.

use std::collections::BTreeSet;

use crate::fingerprint::Fingerprint;
use crate::outcome::StudyAnalysis;
use crate::report::document::{Chapter, Table, count, list};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "fingerprint",
    family: Family::Replication,
    title: "Fingerprint and replication",
    question: "What exactly was run, and how is it run again?",
    metrics: &[],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Material {
        study, analysis, ..
    } = *material;
    let made = made(material);
    let fields: BTreeSet<&str> = made
        .iter()
        .flat_map(|(_, prints)| prints.iter().copied())
        .flat_map(|print| print.keys().map(String::as_str))
        .collect();
    let (mut common, mut differing) = (Vec::new(), Vec::new());
    for field in &fields {
        let each: Vec<String> = made
            .iter()
            .map(|(_, prints)| value(prints, field))
            .collect();
        match each.first() {
            Some(first) if each.iter().all(|v| v == first) => {
                common.push(vec![(*field).to_owned(), first.clone()])
            }
            _ => differing.push(
                std::iter::once((*field).to_owned())
                    .chain(each)
                    .collect::<Vec<_>>(),
            ),
        }
    }
    let finding = if fields.is_empty() {
        "The records carry no fingerprint: nothing shows that these runs are comparable.".to_owned()
    } else if made.len() == 1 {
        format!("Every run carries {}.", count(common.len(), "setting"))
    } else {
        let names: Vec<&str> = differing.iter().map(|row| row[0].as_str()).collect();
        format!(
            "Shared by all learners: {}; different between them: {}{}.",
            count(common.len(), "setting"),
            differing.len(),
            if names.is_empty() || names.len() > 12 {
                String::new()
            } else {
                format!(": {}", list(&names))
            }
        )
    };
    let mut tables = Vec::new();
    if !differing.is_empty() {
        tables.push(Table {
            caption: "Settings that differ between learners. A value in parentheses stands for several values within one learner.".to_owned(),
            head: std::iter::once("setting".to_owned()).chain(made.iter().map(|(name, _)| name.clone())).collect(),
            rows: differing,
        });
    }
    if !common.is_empty() {
        tables.push(Table {
            caption:
                "Settings that all runs share. A value in parentheses stands for several values."
                    .to_owned(),
            head: ["setting", "value"].map(str::to_owned).to_vec(),
            rows: common,
        });
    }
    tables.push(options(analysis));
    Some(Chapter {
        number: None,
        finding: Said::described(finding),
        caveat: "Equal fingerprints make results comparable, not correct. The command gives the same numbers with the same version of the \
                 program. Another version may give other numbers, and its fingerprint then differs.".to_owned(),
        figures: Vec::new(),
        tables,
        command: (!study.command.trim().is_empty()).then(|| study.command.clone()),
        ..Chapter::default()
    })
}

/// The fingerprints of each learner's runs, or of a study of factors.
fn made<'m>(material: &Material<'m>) -> Vec<(String, Vec<&'m Fingerprint>)> {
    let of_group = |group: &Group<'m>| {
        let prints = group.runs.iter().map(|run| &run.fingerprint).collect();
        (group.name.clone(), prints)
    };
    match &material.study.factors {
        Some(table) if material.groups.is_empty() => {
            let prints = table.runs.iter().map(|run| &run.fingerprint).collect();
            vec![("all runs".to_owned(), prints)]
        }
        _ => material.groups.iter().map(of_group).collect(),
    }
}

/// The value of a field in all fingerprints; several values are listed in parentheses.
fn value(prints: &[&Fingerprint], field: &str) -> String {
    let absent = || "absent";
    let values: BTreeSet<&str> = prints
        .iter()
        .map(|print| print.get(field).map_or_else(absent, String::as_str))
        .collect();
    let values: Vec<&str> = values.into_iter().collect();
    match values.as_slice() {
        [one] => (*one).to_owned(),
        several if several.len() <= 10 => format!("({})", several.join(", ")),
        several => format!("({} values)", several.len()),
    }
}

/// What was chosen for the analysis, as the serialized options have it.
fn options(analysis: &StudyAnalysis) -> Table {
    let fields = match serde_json::to_value(&analysis.options) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let show = |value: serde_json::Value| match value {
        serde_json::Value::Null => "none".to_owned(),
        serde_json::Value::String(text) => text,
        serde_json::Value::Object(map) if map.is_empty() => "none".to_owned(),
        serde_json::Value::Array(list) if list.is_empty() => "none".to_owned(),
        other => other.to_string(),
    };
    Table {
        caption: "Settings of the analysis itself.".to_owned(),
        head: ["setting", "value"].map(str::to_owned).to_vec(),
        rows: fields
            .into_iter()
            .map(|(field, value)| vec![field, show(value)])
            .collect(),
    }
}
