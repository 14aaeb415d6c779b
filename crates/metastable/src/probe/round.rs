//! A round of questions: every family to every finished run of a study. Processes that share the study's folder share the
//! round, by claims as on runs: no question is asked twice, and what is answered already is not asked again.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use metastable_analysis::Probe;
use metastable_probes::kinship::{self, Member};

use super::certificate;
use super::materials::Materials;
use super::store::{self, About, Answers};
use super::subject::Subject;
use super::told::is_certified;
use super::{Family, checkpoint};
use crate::Ending;
use crate::campaign::folder::Entry;
use crate::campaign::work::is_of_the_system;
use crate::campaign::{Finished, StudyFolder};
use crate::files::remove_folder;
use crate::plan::Planned;
use crate::run::Material;
use crate::run::checkpoint::Stored;
use crate::schedule::Shares;
use crate::signal::Stop;
use crate::store::claimer::Claimer;
use crate::study::ProbeSettings;

/// Tasks over which a path between two runs is the mean: each point is another learner.
const KINSHIP_TASKS: usize = 8;

/// Pause between two looks at questions that other processes have.
const PAUSE: Duration = Duration::from_millis(500);

/// Who asks what, of which study.
pub(crate) struct Round<'a> {
    pub(crate) folder: &'a StudyFolder,
    /// What is asked; certificates are a family like others here.
    pub(crate) settings: &'a ProbeSettings,
    pub(crate) data_dir: &'a Path,
    /// The plan of the study, whose data are loaded; empty if there is none.
    pub(crate) planned: &'a [Planned],
    /// Threads of a question: each is many small ones, side by side.
    pub(crate) threads: usize,
    /// Silence after which another process takes a question over.
    pub(crate) lease: Duration,
    pub(crate) stop: &'a Stop,
    /// Whether to leave alone what other processes ask, as a task of a launcher does, instead of waiting for their answers.
    pub(crate) leaves: bool,
}

/// A run that is asked.
struct Asked<'m> {
    run: &'m Finished,
    /// Digest of the weights.
    checkpoint: String,
    stored: Stored,
    /// The weights after the last step, where a question needs them.
    last: Option<Stored>,
    material: &'m Material,
}

impl<'m> Asked<'m> {
    /// With a network of its own for each question: a network keeps the memory of its passes for the next ones, and that of hundreds
    /// of runs would be the machine's.
    fn subject(&self) -> Result<Subject<'m>> {
        Subject::with(self.stored.clone(), self.last.clone(), self.material)
    }
}

/// One family to one run.
#[derive(Clone, Copy)]
struct Question {
    run: usize,
    family: Family,
}

impl Round<'_> {
    /// Asks what has no answer yet, and waits for the answers to what other processes ask. A question that fails is named
    /// and leaves the others alone.
    pub(crate) fn ask(&self, finished: &[Finished]) -> Result<Ending> {
        self.with_runs(finished, |runs, materials| self.work(runs, materials))
    }

    /// Asks nothing, and lets `watch` count the questions that have no answer yet.
    pub(crate) fn watch<T>(
        &self,
        finished: &[Finished],
        watch: impl FnOnce(&dyn Fn() -> usize) -> Result<T>,
    ) -> Result<T> {
        self.with_runs(finished, |runs, materials| {
            watch(&|| self.open(runs, materials).len())
        })
    }

    fn with_runs<T>(
        &self,
        finished: &[Finished],
        then: impl FnOnce(&[Asked<'_>], &Materials<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut weights = Vec::new();
        // What one exchanged task changes is told by the tests of those runs; the report has chapters on the others.
        for run in finished.iter().filter(|run| run.is_original()) {
            let path = checkpoint(run);
            if path.exists() {
                weights.push((run, store::digest(&path)?, Stored::read(&path)?));
            } else {
                eprintln!("{} has no weights to ask, and is left out", run.entry.label);
            }
        }
        let mut materials = Materials::new(self.data_dir);
        for run in self.planned {
            materials.keep(run)?;
        }
        for (_, _, stored) in &weights {
            materials.load(&stored.config)?;
            if self.settings.families.contains(&Family::Shift) {
                materials.load_others(&self.settings.other, &stored.config)?;
            }
        }
        let mut runs = Vec::new();
        for (run, checkpoint, stored) in weights {
            let needs_last = self.settings.families.contains(&Family::Generalization);
            let last = needs_last.then(|| Stored::read(&run.folder.last()));
            runs.push(Asked {
                run,
                checkpoint,
                material: materials.of(&stored.config)?,
                last: last.transpose()?,
                stored,
            });
        }
        self.say_what_is_left_out(&runs);
        then(&runs, &materials)
    }

    /// Names the questions that guests are not asked.
    fn say_what_is_left_out(&self, runs: &[Asked<'_>]) {
        for family in &self.settings.families {
            let left_out = runs.iter().filter_map(|asked| {
                let reason = family.why_not(&asked.stored.config)?;
                Some((asked.run.entry.label.as_str(), reason))
            });
            let (labels, reasons): (Vec<&str>, Vec<&str>) = left_out.unzip();
            // A family has one reason.
            if let Some(reason) = reasons.first() {
                eprintln!(
                    "not asked about {}, since {reason}: {}",
                    family.name(),
                    labels.join(", ")
                );
            }
        }
    }

    /// Every question of the round.
    fn questions(&self, runs: &[Asked<'_>]) -> Vec<Question> {
        let of_run = |run: usize| {
            let families = self.settings.families.iter().copied();
            let config = &runs[run].stored.config;
            let is_asked = move |family: &Family| {
                if !family.is_for(config) {
                    return false;
                }
                let earlier = runs[..run].iter().map(|asked| asked.run);
                *family != Family::Certificate || is_certified(earlier, runs[run].run)
            };
            let families = families.filter(is_asked);
            families.map(move |family| Question { run, family })
        };
        (0..runs.len()).flat_map(of_run).collect()
    }

    /// Questions that have no answer yet.
    fn open(&self, runs: &[Asked<'_>], materials: &Materials<'_>) -> Vec<Question> {
        let all = self.questions(runs).into_iter();
        all.filter(|question| !self.is_answered(runs, materials, *question))
            .collect()
    }

    fn work(&self, runs: &[Asked<'_>], materials: &Materials<'_>) -> Result<Ending> {
        let n_questions = self.questions(runs).len();
        let mut open = self.open(runs, materials);
        if open.len() < n_questions {
            eprintln!(
                "{} of {n_questions} questions have their answers in {}",
                n_questions - open.len(),
                store::folder(self.folder.path()).display()
            );
        }
        for question in &open {
            let label = &runs[question.run].run.entry.label;
            if let Err(error) = Answers::read(self.folder.path(), label, question.family) {
                eprintln!("{label}: {error:#}");
            }
        }
        let claimer = Claimer::start(self.lease);
        self.clear_claims(runs, materials, &claimer)?;
        let mut ending = Ending::Done;
        while !open.is_empty() {
            let n_before = open.len();
            let mut elsewhere = Vec::new();
            for question in open {
                if self.stop.asked() {
                    return Ok(Ending::Interrupted);
                }
                match self.take(runs, materials, question, &claimer) {
                    Ok(true) => {}
                    Ok(false) => elsewhere.push(question),
                    Err(error) if is_of_the_system(&error) => return Err(error),
                    Err(error) => {
                        eprintln!("failed {error:#}");
                        ending = Ending::Failed;
                    }
                }
            }
            open = elsewhere;
            let sees_life = |question: &Question| {
                let label = &runs[question.run].run.entry.label;
                claimer.sees_life(&store::claims(self.folder.path(), label, question.family))
            };
            if self.leaves && open.iter().all(sees_life) {
                return Ok(ending);
            }
            if open.len() == n_before {
                thread::sleep(PAUSE);
            }
        }
        Ok(ending)
    }

    /// Removes what a crash left between the end of a question and the end of its claims.
    fn clear_claims(
        &self,
        runs: &[Asked<'_>],
        materials: &Materials<'_>,
        claimer: &Claimer,
    ) -> Result<()> {
        for question in self.questions(runs) {
            let label = &runs[question.run].run.entry.label;
            let claims = store::claims(self.folder.path(), label, question.family);
            if claims.exists()
                && self.is_answered(runs, materials, question)
                && let Some(lease) = claimer.claim(&claims)?
            {
                remove_folder(&claims)?;
                drop(lease);
            }
        }
        Ok(())
    }

    /// Sees to the answers to one question; false if another process is at it.
    fn take(
        &self,
        runs: &[Asked<'_>],
        materials: &Materials<'_>,
        question: Question,
        claimer: &Claimer,
    ) -> Result<bool> {
        let Question { run, family } = question;
        let label = &runs[run].run.entry.label;
        let out = self.folder.path();
        if self.is_answered(runs, materials, question) {
            return Ok(true);
        }
        let claims = store::claims(out, label, family);
        let Some(lease) = claimer.claim(&claims)? else {
            return Ok(false);
        };
        // Only now nobody else writes: the answers may have come since they were last looked for.
        if !self.is_answered(runs, materials, question) {
            let others = materials.others(&runs[run].stored.config);
            let asked = timed(label, family, self.threads, || match family {
                Family::Kinship => self.kinship(runs, run),
                Family::Certificate => certificate(&runs[run]),
                _ => family.ask(&runs[run].subject()?, others, self.settings.tasks),
            });
            let written = asked.and_then(|probe| {
                let about = self.about(runs, materials, question)?;
                Answers::new(about, probe).write(out, label)
            });
            if written.is_err() {
                remove_folder(&claims)?;
            }
            written?;
        }
        remove_folder(&claims)?;
        drop(lease);
        Ok(true)
    }

    fn kinship(&self, runs: &[Asked<'_>], run: usize) -> Result<Probe> {
        // The features of a guest are not here to be compared.
        let kin = (run..runs.len()).filter(|at| Family::Kinship.is_for(&runs[*at].stored.config));
        let subjects = kin
            .map(|at| Ok((&runs[at].run.entry, runs[at].subject()?)))
            .collect::<Result<Vec<_>>>()?;
        let (one, others) = subjects
            .split_first()
            .ok_or_else(|| anyhow!("a run is not among its kin, which is a bug"))?;
        let others: Vec<Member<'_, '_>> = others
            .iter()
            .filter(|(_, other)| one.1.is_comparable(other))
            .map(member)
            .collect();
        let n_tasks = self.settings.tasks.min(KINSHIP_TASKS);
        let answers = kinship::ask(member(one), &others, n_tasks)?;
        Ok(Probe {
            kinship: Some(answers),
            ..Probe::default()
        })
    }

    fn is_answered(
        &self,
        runs: &[Asked<'_>],
        materials: &Materials<'_>,
        question: Question,
    ) -> bool {
        let label = &runs[question.run].run.entry.label;
        let stored = Answers::read(self.folder.path(), label, question.family);
        let about = self.about(runs, materials, question);
        matches!((stored, about), (Ok(Some(stored)), Ok(about)) if stored.about == about)
    }

    /// What the answers to a question rest on.
    fn about(
        &self,
        runs: &[Asked<'_>],
        materials: &Materials<'_>,
        Question { run, family }: Question,
    ) -> Result<About> {
        let asked = &runs[run];
        let with: BTreeMap<String, String> = match family {
            Family::Shift => materials
                .others(&asked.stored.config)
                .iter()
                .map(|other| (other.set.clone(), other.dataset.digest.clone()))
                .collect(),
            Family::Kinship => runs[run + 1..]
                .iter()
                .map(|kin| (kin.run.entry.label.clone(), kin.checkpoint.clone()))
                .collect(),
            Family::Certificate => certificate::rests_on(asked.run)?,
            _ => BTreeMap::new(),
        };
        Ok(About {
            family,
            checkpoint: asked.checkpoint.clone(),
            step: asked.stored.step,
            n_tasks: match family {
                Family::Certificate => 0,
                _ => self.settings.tasks,
            },
            with,
        })
    }
}

fn certificate(asked: &Asked<'_>) -> Result<Probe> {
    let answers = certificate::ask(asked.run, &asked.subject()?)?;
    Ok(Probe {
        certificate: Some(answers),
        ..Probe::default()
    })
}

/// A run with its subject, as kin of others.
fn member<'a, 'm>((entry, subject): &'a (&'a Entry, Subject<'m>)) -> Member<'a, 'm> {
    Member {
        label: &entry.label,
        learner: &entry.learner,
        subject: &subject.learnt,
    }
}

/// Asks on so many threads, and says how long it took.
pub(super) fn timed(
    name: &str,
    family: Family,
    threads: usize,
    question: impl FnOnce() -> Result<Probe> + Send,
) -> Result<Probe> {
    let begun = Instant::now();
    let shares = Shares { jobs: 1, threads };
    let probe = shares
        .pool()?
        .install(question)
        .with_context(|| format!("while asking {name} about {}", family.name()))?;
    eprintln!(
        "{name}: {} answered in {:.0} s",
        family.name(),
        begun.elapsed().as_secs_f64()
    );
    Ok(probe)
}
