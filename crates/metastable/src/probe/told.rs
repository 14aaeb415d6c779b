//! What the finished runs of a study have answered, as it stands now: a report does not depend on how it came to be.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use clap::ValueEnum;
use metastable_analysis::Probe;

use super::certificate;
use super::family::Family;
use super::store::{self, Answers};
use crate::Ending;
use crate::campaign::Finished;
use crate::study::ProbeSettings;
use crate::words::told;

/// Runs that are certified of those that differ in their seeds alone, the first ones: a study of hundreds of short runs would
/// spend a tenth of its time on certificates, to hear the same of each.
const CERTIFIED: usize = 3;

/// Whether a run is among those that stand for the others of its learner, setting and point.
pub(super) fn is_certified<'r>(
    earlier: impl Iterator<Item = &'r Finished>,
    run: &Finished,
) -> bool {
    let is_alike = |other: &&Finished| {
        let (own, its) = (&run.entry, &other.entry);
        own.learner == its.learner
            && own.levels == its.levels
            && run.record.config.setting() == other.record.config.setting()
    };
    earlier.filter(is_alike).count() < CERTIFIED
}

/// A run that is asked, and what its answers have to rest on.
struct Witness<'r> {
    run: &'r Finished,
    /// Digest of its weights.
    checkpoint: String,
    is_certified: bool,
}

/// The answers of the runs of a study, in order. What is damaged, or rests on other weights or files than there are now, is
/// told and left out; so is what the study declares and nobody has answered. Then the command has failed.
pub(crate) fn answers(
    out: &Path,
    declared: Option<&ProbeSettings>,
    finished: &[&Finished],
) -> Result<(Vec<Probe>, Ending)> {
    let mut witnesses: Vec<Witness<'_>> = Vec::new();
    for &run in finished {
        let path = run.tested();
        if run.is_original() && path.exists() {
            let earlier = witnesses.iter().map(|witness| witness.run);
            witnesses.push(Witness {
                run,
                is_certified: is_certified(earlier, run),
                checkpoint: store::digest(&path)?,
            });
        }
    }
    let declared: Vec<Family> = declared.map_or_else(Vec::new, |it| it.families.clone());
    let mut ending = Ending::Done;
    let mut probes = Vec::new();
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (at, witness) in witnesses.iter().enumerate() {
        let label = &witness.run.entry.label;
        let mut probe = Probe {
            run: label.clone(),
            ..Probe::default()
        };
        probe.noise_floor = witness.run.record.noise_floor();
        let mut any = probe.noise_floor.is_some();
        for family in Family::value_variants().iter().copied() {
            let is_owed = match family {
                _ if !family.is_for(&witness.run.record.config, witness.run.record.offers()) => {
                    continue;
                }
                // Those of further runs are there or not as chance had it.
                Family::Certificate if !witness.is_certified => continue,
                Family::Certificate => true,
                _ => declared.contains(&family),
            };
            match read(out, witness, &witnesses[at + 1..], family) {
                Ok(Some(answers)) => {
                    probe.absorb(answers);
                    any = true;
                }
                Ok(None) if is_owed => missing.entry(family.name()).or_default().push(label),
                Ok(None) => {}
                Err(error) => {
                    eprintln!("{label}: {}; they are left out", told(&error));
                    ending = Ending::Failed;
                }
            }
        }
        probes.extend(any.then_some(probe));
    }
    for (family, labels) in missing {
        let [first, others @ ..] = &labels[..] else {
            continue;
        };
        let who = match others.len() {
            0 => format!("{first} has"),
            1 => format!("{first} and 1 other run have"),
            n => format!("{first} and {n} other runs have"),
        };
        eprintln!(
            "{who} no answers to {family}, so the report lacks them; the command that runs the study asks these questions"
        );
        ending = Ending::Failed;
    }
    Ok((probes, ending))
}

/// What a run answered to a family, if that rests on what there is now.
fn read(
    out: &Path,
    witness: &Witness<'_>,
    later: &[Witness<'_>],
    family: Family,
) -> Result<Option<Probe>> {
    let Some(answers) = Answers::read(out, &witness.run.entry.label, family)? else {
        return Ok(None);
    };
    let path = store::path(out, &witness.run.entry.label, family);
    let of_what = |what: &str| {
        format!(
            "its {} answers are those of {what} ({})",
            family.name(),
            path.display()
        )
    };
    if answers.about.checkpoint != witness.checkpoint {
        bail!("{}; `probe` asks again", of_what("other weights"));
    }
    let with = &answers.about.with;
    let is_now = match family {
        Family::Kinship => {
            let kin: BTreeMap<&str, &str> = later
                .iter()
                .map(|kin| (kin.run.entry.label.as_str(), kin.checkpoint.as_str()))
                .collect();
            with.iter()
                .map(|(label, digest)| (label.as_str(), digest.as_str()))
                .eq(kin)
        }
        // By another build of the program is as good.
        Family::Certificate => {
            with.get("files") == certificate::rests_on(witness.run)?.get("files")
        }
        _ => true,
    };
    if !is_now {
        bail!("{}; `probe` asks again", of_what("other runs or files"));
    }
    Ok(Some(answers.probe))
}
