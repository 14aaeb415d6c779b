//! How far the final accuracy moves between trainings: the chapter around fan, raincloud and waterfall.

use super::intervals::{names, values};
use super::{fan, seeds, waterfall};
use crate::estimate::Estimate;
use crate::findings::Certainty;
use crate::metric::Measure;
use crate::outcome::StudyAnalysis;
use crate::report::document::{Chapter, count, extremes, list};
use crate::report::group::Group;
use crate::report::said::{Basis, Said};
use crate::report::subject::{Family, Material, Subject};
use crate::spread::Spread;
use crate::steadiness::{SpreadRatio, SpreadVerdict, Steadiness};
use crate::words::Words;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "outcome",
    family: Family::Outcome,
    title: "Between trainings",
    question: "How far does the final accuracy move from training to training, and where does the uncertainty come from?",
    metrics: &[
        "spread",
        "steadiness",
        "steadiness_over_settings",
        "components",
        "threshold",
    ],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Material { groups, .. } = *material;
    let words = Words::of(&material.analysis.options);
    let deviations: Vec<(&Group<'_>, Estimate)> = groups
        .iter()
        .filter_map(|group| Some((group, group.get::<Spread>()?.between_seeds()?.clone())))
        .collect();
    let values = values(&deviations, |sd| sd.value);
    let knows_noise = |group: &Group<'_>| {
        let spread: Option<Spread> = group.get();
        spread.is_some_and(|it| it.seed_sd_beyond_test.is_some())
    };
    let beyond = if deviations.iter().all(|(group, _)| knows_noise(group)) {
        ", beyond the noise of the test,"
    } else {
        ""
    };
    // A spread that the noise of the test explains is 0 too, but has an interval: copies have none.
    let copies = names(&deviations, |sd| sd.interval.is_none());
    let finding = match (extremes(&values), deviations.as_slice()) {
        (Some(_), all) if all.len() == copies.len() => Said::described(format!(
            "The runs of {} have the same mean. They are copies, or at the limit of the score, and tell nothing about another training.",
            list(&copies)
        )),
        (None, _) => Said::described(
            "No learner has two tested runs, so nothing can be said about another training.",
        ),
        (Some(_), [(only, sd)]) => Said::described(format!(
            "The standard deviation of {} between trainings{beyond} is {}.",
            only.name,
            words.points_with(sd)
        )),
        (Some(_), _) => {
            let each: Vec<String> = deviations
                .iter()
                .map(|(group, sd)| format!("{} for {}", words.points_with(sd), group.name))
                .collect();
            // Under five runs of each there is no test, and that nothing is shown is what there is to say.
            let certainty = match Basis::verdict(material.analysis, &[Steadiness::ID]) {
                Certainty::Distinguishable => Certainty::Distinguishable,
                _ => Certainty::NotDistinguishable,
            };
            let basis = Basis::of(&groups.iter().collect::<Vec<_>>(), certainty);
            Said::described(format!(
                "The standard deviation between trainings{beyond} is {}.",
                list(&each)
            ))
            .and(Said::carried(judged(material.analysis), basis))
        }
    };
    Some(Chapter {
        number: extremes(&values).map(|((_, lo), (_, hi))| (spreads(words, *lo, *hi), "standard deviation between seeds".to_owned())),
        finding,
        caveat: "The limits of a standard deviation from three runs differ by a factor of twelve. The usual interval over the test tasks of \
                 one run says nothing about another training.".to_owned(),
        figures: [fan::figure(groups, words), seeds::figure(groups, words), waterfall::figure(groups, words)].into_iter().flatten().collect(),
        tables: waterfall::table(groups, words).into_iter().collect(),
        ..Chapter::default()
    })
}

/// `1.14 to 1.33 pp`.
fn spreads(words: Words<'_>, lo: f64, hi: f64) -> String {
    let (lo, hi) = (words.bare_points(lo), words.bare_points(hi));
    let unit = words.points_unit();
    if lo == hi {
        format!("{lo}{unit}")
    } else {
        format!("{lo} to {hi}{unit}")
    }
}

/// What the ratios of spreads settle, over all pairs.
fn judged(analysis: &StudyAnalysis) -> String {
    let pairs: Vec<SpreadRatio> = analysis
        .settings
        .iter()
        .filter_map(|setting| setting.all.get::<Steadiness>())
        .flat_map(|found| found.pairs)
        .collect();
    let settled: Vec<String> = pairs
        .iter()
        .filter_map(|pair| {
            let (steady, other) = match pair.verdict {
                SpreadVerdict::ASteadier => (&pair.a, &pair.b),
                SpreadVerdict::BSteadier => (&pair.b, &pair.a),
                _ => return None,
            };
            Some(format!("{steady} is steadier than {other}"))
        })
        .collect();
    if settled.is_empty() {
        "No learner is shown to be steadier than another.".to_owned()
    } else {
        format!("Of {}, {}.", count(pairs.len(), "pair"), list(&settled))
    }
}
