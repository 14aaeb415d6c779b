//! The families of questions, and who can answer which.

use anyhow::Result;
use clap::ValueEnum;
use metastable_analysis::Probe;
use metastable_guests as guests;
use metastable_probes::{generalization, geometry, lifelong, sensitivity, shift, switches};
use serde::{Deserialize, Serialize};

use super::subject::Subject;
use crate::run::{RunConfig, guest};
use crate::study::{ProbeSettings, suggestion};

/// A family of questions.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Family {
    /// Other support sets, label orders, step sizes, batches; more supports, one exchanged or left out
    #[value(name = "c")]
    Sensitivity,
    /// Seen tasks, new tasks, new classes; one task of one training step exchanged
    #[value(name = "d")]
    Generalization,
    /// Curvature, loss surfaces, features, task embeddings
    #[value(name = "f")]
    Geometry,
    /// Features and paths between the runs of a study
    #[value(name = "f-pairs")]
    Kinship,
    /// Other shapes, other data, damaged images, wrong labels, calibration
    #[value(name = "g")]
    Shift,
    /// Classes of the test part that come one after the other, an image at a time
    #[value(name = "l")]
    Lifelong,
    /// Tasks whose distribution switches while the learner goes on learning
    #[value(name = "s")]
    Switches,
    /// Derivatives, bits and records of the run itself; `experiment` asks in any case
    #[value(name = "certificate")]
    Certificate,
}

impl Family {
    /// What is asked where no family is named.
    pub(crate) const ALL: [Self; 7] = [
        Self::Sensitivity,
        Self::Generalization,
        Self::Geometry,
        Self::Kinship,
        Self::Shift,
        Self::Lifelong,
        Self::Switches,
    ];

    /// As in a study and on the command line.
    pub(crate) fn code(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// A word for it, which names its file of answers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sensitivity => "sensitivity",
            Self::Generalization => "generalization",
            Self::Geometry => "geometry",
            Self::Kinship => "kinship",
            Self::Shift => "shift",
            Self::Lifelong => "lifelong",
            Self::Switches => "switches",
            Self::Certificate => "certificate",
        }
    }

    /// Whether a run can answer; `offers` are the requests that a guest answers.
    pub(crate) fn is_for(self, config: &RunConfig, offers: &[String]) -> bool {
        self.why_not(config, offers).is_none()
    }

    /// What a guest is asked of a family that is about gradients and parameters too.
    pub(super) fn part_of_a_guest(self) -> Option<&'static str> {
        match self {
            Self::Geometry | Self::Kinship | Self::Lifelong => Some("its features"),
            Self::Sensitivity
            | Self::Generalization
            | Self::Shift
            | Self::Switches
            | Self::Certificate => None,
        }
    }

    /// Why a run cannot answer; none if it can.
    pub(super) fn why_not(self, config: &RunConfig, offers: &[String]) -> Option<&'static str> {
        if config.family().is_some() && self != Self::Certificate {
            return Some(
                "its questions are about classes and images, and a regression has neither",
            );
        }
        if config.is_policy() {
            return Some(
                "its questions are about labelled examples, and a policy learns from rollouts",
            );
        }
        let training = guest::training(config)?;
        match self {
            Self::Sensitivity | Self::Shift | Self::Certificate => None,
            Self::Switches => {
                Some("its weights are in another process, and nothing here can go on training them")
            }
            Self::Generalization => (training != guests::Training::Given).then_some(
                "a guest that is not trained on episodes given by this program has seen none of them",
            ),
            Self::Geometry | Self::Kinship | Self::Lifelong => {
                let offers_features = offers.iter().any(|offer| offer == "features");
                (!offers_features).then_some(
                    "a guest shows neither gradients nor parameters, and this one offers no features",
                )
            }
        }
    }

    pub(super) fn ask(
        self,
        subject: &Subject<'_>,
        others: &[shift::Other],
        settings: &ProbeSettings,
    ) -> Result<Probe> {
        let (learnt, n_tasks) = (&subject.learnt, settings.tasks);
        Ok(match self {
            Self::Sensitivity => sensitivity::ask(learnt, n_tasks)?,
            Self::Generalization => {
                let initial = match subject.visit {
                    Some(_) => None,
                    None => Some(subject.initial()?),
                };
                generalization::ask(learnt, initial, n_tasks)?
            }
            Self::Geometry => geometry::ask(learnt, n_tasks)?,
            // A checkpoint by itself has neither kin nor records; see `round`.
            Self::Kinship | Self::Certificate => Probe::default(),
            Self::Shift => shift::ask(learnt, others, n_tasks)?,
            Self::Lifelong => lifelong::ask(learnt, &stream_sizes(settings))?,
            Self::Switches => switches::ask(learnt, n_tasks)?,
        })
    }
}

impl TryFrom<String> for Family {
    type Error = String;

    fn try_from(code: String) -> Result<Self, String> {
        Self::from_str(&code, false).map_err(|_| {
            let codes: Vec<String> = Self::value_variants().iter().map(|it| it.code()).collect();
            let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
            format!("there is no family {code:?}; {}", suggestion(&code, &codes))
        })
    }
}

impl From<Family> for String {
    fn from(family: Family) -> Self {
        family.code()
    }
}

/// The streams that are asked about.
pub(super) fn stream_sizes(settings: &ProbeSettings) -> lifelong::Sizes {
    lifelong::Sizes {
        classes: settings.stream_classes.clone(),
        images: settings.stream_images,
        orders: settings.stream_orders,
    }
}
