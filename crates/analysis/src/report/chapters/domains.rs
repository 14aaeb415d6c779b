//! Accuracy by domain, with a row for the worst.

use super::intervals::{measured, written};
use crate::domains::Domains;
use crate::findings::Certainty;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table};
use crate::report::group::Group;
use crate::report::said::{Basis, Said};
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Rows, heading};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "domains",
    family: Family::Outcome,
    title: "Domains",
    question: "On which domain is each learner good, and on which is it worst?",
    metrics: &["domains"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Domains)> = measured(material.groups);
    let (group, lowest) = found.iter().min_by(|a, b| {
        let of = |it: &Domains| it.worst.of_each_run.value;
        of(&a.1).total_cmp(&of(&b.1))
    })?;
    let each: Vec<String> = found
        .iter()
        .map(|(group, it)| {
            let verdict = match (it.worst.is_settled, it.n_runs) {
                (true, _) => "",
                (false, 1) => " in its one run",
                (false, _) => ", not distinguishable from another domain",
            };
            format!("{} for {}{verdict}", it.worst.name, group.name)
        })
        .collect();
    let certainty = match found.iter().any(|(_, it)| it.worst.is_settled) {
        true => Certainty::Distinguishable,
        false => Certainty::NotDistinguishable,
    };
    let own: Vec<&Group<'_>> = found.iter().map(|(group, _)| *group).collect();
    let basis = Basis::of(&own, certainty);
    Some(Chapter {
        number: Some((
            format!("{} %", number(100.0 * lowest.worst.of_each_run.value, 2)),
            format!("on the lowest domain of each run, {}", group.name),
        )),
        finding: Said::carried(format!("The domain with the lowest mean is {}.", each.join("; ")), basis),
        caveat: "Test episodes come from one domain each, drawn uniformly; way and shot are the same in all. If a domain is harder for every \
                 learner, the cause may be the domain. Intervals are over seeds, on these tasks; each learner has its own test at 5 % of \
                 whether one domain differs."
            .to_owned(),
        figures: figure(&found).into_iter().collect(),
        tables: vec![table(&found)],
        ..Chapter::default()
    })
}

fn table(found: &[(&Group<'_>, Domains)]) -> Table {
    let head = ["learner", "domain", "tasks", "accuracy, %", "seed SD, pp"];
    let mut rows = Vec::new();
    for (group, it) in found {
        for domain in &it.domains {
            let sd = domain.seed_sd.as_ref();
            rows.push(vec![
                group.name.clone(),
                domain.name.clone(),
                domain.n_tasks.to_string(),
                written(&domain.mean, 100.0, 2),
                sd.map_or_else(|| "one run".to_owned(), |sd| written(sd, 100.0, 2)),
            ]);
        }
        rows.push(vec![
            group.name.clone(),
            "worst of each run".to_owned(),
            String::new(),
            written(&it.worst.of_each_run, 100.0, 2),
            String::new(),
        ]);
    }
    Table {
        caption: "Accuracy by domain; the last row of each learner is the mean over runs of the lowest domain of each.".to_owned(),
        head: head.map(str::to_owned).to_vec(),
        rows,
    }
}

fn figure(found: &[(&Group<'_>, Domains)]) -> Option<Figure> {
    let ends = |it: &crate::Estimate| {
        let interval = it.interval.as_ref();
        interval.map_or([it.value; 2], |i| [i.lower, i.upper])
    };
    let values = found
        .iter()
        .flat_map(|(_, it)| it.domains.iter().flat_map(|domain| ends(&domain.mean)));
    let extent = Extent::of(values.map(|value| 100.0 * value))?;
    let axis = Axis::new("accuracy, %", extent.padded(0.04, 1e-6, 0.0, 100.0));
    let mut data = Csv::new("setting,learner,domain,tasks,accuracy,lower,upper");
    let mut panels = Vec::new();
    for (group, it) in found {
        let names: Vec<String> = it
            .domains
            .iter()
            .map(|domain| domain.name.clone())
            .collect();
        let mut panel = Rows::new(
            &heading(&group.name, "accuracy by domain"),
            &axis,
            &names,
            22.0,
        );
        let mut words = Vec::new();
        for (row, domain) in it.domains.iter().enumerate() {
            let [lower, upper] = ends(&domain.mean);
            let value = 100.0 * domain.mean.value;
            let (low, high) = (100.0 * lower, 100.0 * upper);
            panel.interval(row, 0.0, group.series, "dot", low, value, high);
            panel.text(row, low, high, &number(value, 1));
            words.push(format!("{} {} %", domain.name, number(value, 1)));
            data.row(&[
                Cell::Text(group.setting),
                Cell::Text(group.learner),
                Cell::Text(&domain.name),
                Cell::Count(domain.n_tasks),
                Cell::Number(domain.mean.value),
                Cell::Number(lower),
                Cell::Number(upper),
            ]);
        }
        panels.push(panel.finish(
            &format!("domains-plot-{}", panels.len()),
            &format!("Accuracy by domain, {}", group.name),
            &format!("{}.", words.join(", ")),
        ));
    }
    Some(Figure {
        id: "domains-plot".to_owned(),
        panels,
        legend: Vec::new(),
        caption: "Mean accuracy on the test tasks of each domain, with its interval over seeds."
            .to_owned(),
        data,
    })
}
