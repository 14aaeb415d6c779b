//! A round of questions: every family to every finished run of a study. Processes that share the study's folder share the
//! round, by claims as on runs: no question is asked twice, and what is answered already is not asked again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use metastable_analysis::Probe;
use metastable_analysis::probe::kinship::{Answers as Kinship, Pair};
use metastable_probes::kinship::{self, Embedded, Member};

use super::certificate;
use super::family::Family;
use super::kept::Keeper;
use super::materials::Materials;
use super::store::{self, About, Answers};
use super::subject::{Subject, are_comparable};
use super::told::is_certified;
use crate::Ending;
use crate::campaign::folder::Entry;
use crate::campaign::work::is_of_the_system;
use crate::campaign::{Finished, StudyFolder};
use crate::files::remove_folder;
use crate::plan::Planned;
use crate::run::Material;
use crate::run::checkpoint::Stored;
use crate::run::miniature::Codes;
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
    /// The processes of a guest.
    keeper: Keeper,
    /// The features of a guest on the images that all runs are compared on.
    embedded: OnceLock<Embedded>,
    /// Codes of the runs that were certified so far.
    codes: Arc<Mutex<Codes>>,
}

impl<'m> Asked<'m> {
    /// With a network of its own for each question: a network keeps the memory of its passes for the next ones, and that of hundreds
    /// of runs would be the machine's.
    fn subject(&self) -> Result<Subject<'m>> {
        Subject::with(
            self.stored.clone(),
            self.last.clone(),
            self.material,
            &self.keeper,
        )
    }

    /// Whether it can answer a family.
    fn answers(&self, family: Family) -> bool {
        family.is_for(&self.stored.config, self.run.record.offers())
    }

    fn is_guest(&self) -> bool {
        self.stored.config.is_guest()
    }

    fn is_comparable(&self, other: &Self) -> bool {
        are_comparable(
            (&self.stored.config, self.material),
            (&other.stored.config, other.material),
        )
    }

    /// The features of a guest, which is asked for them once.
    fn embedded(&self) -> Result<&Embedded> {
        if let Some(found) = self.embedded.get() {
            return Ok(found);
        }
        let found = Embedded::of(&self.subject()?.learnt)?;
        Ok(self.embedded.get_or_init(|| found))
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
            let path = run.tested();
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
        let codes = Arc::new(Mutex::new(Codes::default()));
        for (run, checkpoint, stored) in weights {
            let needs_last = self.settings.families.contains(&Family::Generalization);
            let last = needs_last.then(|| Stored::read(&run.folder.last()));
            runs.push(Asked {
                run,
                checkpoint,
                material: materials.of(&stored.config)?,
                last: last.transpose()?,
                stored,
                keeper: Keeper::default(),
                embedded: OnceLock::new(),
                codes: Arc::clone(&codes),
            });
        }
        self.say_what_is_left_out(&runs);
        then(&runs, &materials)
    }

    /// Names the questions that guests are not asked.
    fn say_what_is_left_out(&self, runs: &[Asked<'_>]) {
        for family in &self.settings.families {
            let left_out = runs.iter().filter_map(|asked| {
                let reason = family.why_not(&asked.stored.config, asked.run.record.offers())?;
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
            let is_in_part = |asked: &&Asked<'_>| asked.is_guest() && asked.answers(*family);
            let in_part = runs.iter().filter(is_in_part);
            let labels: Vec<&str> = in_part
                .map(|asked| asked.run.entry.label.as_str())
                .collect();
            if let (false, Some(part)) = (labels.is_empty(), family.part_of_a_guest()) {
                eprintln!(
                    "asked about {} only as far as {part} show it, since a guest shows neither gradients nor parameters: {}",
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
            let is_asked = move |family: &Family| {
                if !runs[run].answers(*family) {
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
            note!(
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
            // Questions come run by run, so that the processes of one guest at a time are there.
            let mut at: Option<usize> = None;
            for question in open {
                if self.stop.asked() {
                    return Ok(Ending::Interrupted);
                }
                if let Some(before) = at.replace(question.run).filter(|run| *run != question.run) {
                    runs[before].keeper.release();
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
            if let Some(last) = at {
                runs[last].keeper.release();
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
                _ => family.ask(&runs[run].subject()?, others, self.settings),
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
        let one = &runs[run];
        let kin = runs[run + 1..]
            .iter()
            .filter(|other| other.answers(Family::Kinship) && one.is_comparable(other));
        let answers = if one.is_guest() {
            Kinship {
                pairs: of_guests(one, kin)?,
            }
        } else {
            let subject = one.subject()?;
            let subjects = kin
                .map(|other| Ok((&other.run.entry, other.subject()?)))
                .collect::<Result<Vec<_>>>()?;
            let others: Vec<Member<'_, '_>> = subjects.iter().map(member).collect();
            let n_tasks = self.settings.tasks.min(KINSHIP_TASKS);
            kinship::ask(member(&(&one.run.entry, subject)), &others, n_tasks)?
        };
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
            Family::Lifelong => streams(self.settings),
            _ => BTreeMap::new(),
        };
        Ok(About {
            family,
            checkpoint: asked.checkpoint.clone(),
            step: asked.stored.step,
            n_tasks: match family {
                Family::Certificate | Family::Lifelong => 0,
                _ => self.settings.tasks,
            },
            with,
        })
    }
}

/// The sizes of the streams that answers are about.
fn streams(settings: &ProbeSettings) -> BTreeMap<String, String> {
    let images = settings.stream_images.map(|n| n.to_string());
    let sizes = [
        ("stream_classes", format!("{:?}", settings.stream_classes)),
        ("stream_images", images.unwrap_or_default()),
        ("stream_orders", settings.stream_orders.to_string()),
    ];
    sizes.map(|(name, size)| (name.to_owned(), size)).into()
}

fn certificate(asked: &Asked<'_>) -> Result<Probe> {
    let answers = certificate::ask(asked.run, &asked.subject()?, &asked.codes)?;
    Ok(Probe {
        certificate: Some(answers),
        ..Probe::default()
    })
}

/// A guest against others: what they make of the same images. No more than the processes of two are there at a time.
fn of_guests<'a, 'm: 'a>(
    one: &Asked<'_>,
    kin: impl Iterator<Item = &'a Asked<'m>>,
) -> Result<Vec<Pair>> {
    let own = one.embedded()?;
    kin.map(|other| {
        let layers = own.similarity(other.embedded()?)?;
        other.keeper.release();
        Ok(Pair {
            other: other.run.entry.label.clone(),
            layers,
            line: Vec::new(),
        })
    })
    .collect()
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
    note!(
        "{name}: {} answered in {:.0} s",
        family.name(),
        begun.elapsed().as_secs_f64()
    );
    Ok(probe)
}
