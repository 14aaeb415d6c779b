//! The answers of one run to every question.

use serde::{Deserialize, Serialize};

use super::answers::{
    certificate, confidence, corruption, coupling, curvature, example_influence, gaps, kinship,
    label_noise, label_order, lifelong, mismatch, noise_floor, representation, shots, step_sizes,
    support_order, support_sets, surface, switches, task_map, trajectory,
};
use crate::error::AnalysisError;

/// The answers of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Probe {
    /// Identifier of the run.
    pub run: String,
    /// C1 and C2: other support sets for the same task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_sets: Option<support_sets::Answers>,
    /// C3: other orders of the classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_order: Option<label_order::Answers>,
    /// C8: other orders of the supports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_order: Option<support_order::Answers>,
    /// C5: other inner step sizes, and the curvature that bounds them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_sizes: Option<step_sizes::Answers>,
    /// C6: queries judged together and one at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupling: Option<coupling::Answers>,
    /// D2: one support example exchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example_influence: Option<example_influence::Answers>,
    /// D3: seen tasks, new tasks, new classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gaps: Option<gaps::Answers>,
    /// D1: one task of one training step exchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trajectory: Option<trajectory::Answers>,
    /// C7 and D2: one support example left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<example_influence::Answers>,
    /// C7: ever more supports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shots: Option<shots::Answers>,
    /// F1 to F3: curvature and sharpness of the losses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curvature: Option<curvature::Answers>,
    /// F4: losses on a plane through theta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surface: Option<surface::Answers>,
    /// F7 to F9: what the features are like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub representation: Option<representation::Answers>,
    /// Tasks as their Fisher information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_map: Option<task_map::Answers>,
    /// F5 and F6: this run against others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinship: Option<kinship::Answers>,
    /// G3: damaged images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corruption: Option<corruption::Answers>,
    /// G4: wrong support labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_noise: Option<label_noise::Answers>,
    /// G1 and G2: other shapes and other data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<mismatch::Answers>,
    /// L1 to L3: classes that come one after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifelong: Option<lifelong::Answers>,
    /// S1: tasks that switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switches: Option<switches::Answers>,
    /// G5: calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<confidence::Answers>,
    /// Differences between answers to equal questions; absent for a learner that gives the same bits by construction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_floor: Option<noise_floor::NoiseFloor>,
    /// What was checked of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<certificate::Answers>,
}

impl Probe {
    /// Takes over every table that `other` has.
    pub fn absorb(&mut self, other: Self) {
        let Self {
            run: _,
            support_sets,
            label_order,
            support_order,
            step_sizes,
            coupling,
            example_influence,
            gaps,
            trajectory,
            left_out,
            shots,
            curvature,
            surface,
            representation,
            task_map,
            kinship,
            corruption,
            label_noise,
            mismatch,
            lifelong,
            switches,
            confidence,
            noise_floor,
            certificate,
        } = other;
        take(&mut self.support_sets, support_sets);
        take(&mut self.label_order, label_order);
        take(&mut self.support_order, support_order);
        take(&mut self.step_sizes, step_sizes);
        take(&mut self.coupling, coupling);
        take(&mut self.example_influence, example_influence);
        take(&mut self.gaps, gaps);
        take(&mut self.trajectory, trajectory);
        take(&mut self.left_out, left_out);
        take(&mut self.shots, shots);
        take(&mut self.curvature, curvature);
        take(&mut self.surface, surface);
        take(&mut self.representation, representation);
        take(&mut self.task_map, task_map);
        take(&mut self.kinship, kinship);
        take(&mut self.corruption, corruption);
        take(&mut self.label_noise, label_noise);
        take(&mut self.mismatch, mismatch);
        take(&mut self.lifelong, lifelong);
        take(&mut self.switches, switches);
        take(&mut self.confidence, confidence);
        take(&mut self.noise_floor, noise_floor);
        take(&mut self.certificate, certificate);
    }

    /// Checks every table.
    ///
    /// # Errors
    /// [`AnalysisError`] naming the run and what is wrong.
    pub fn check(&self) -> Result<(), AnalysisError> {
        let of = |what: &str| format!("{what} of the probe of run `{}`", self.run);
        if let Some(answers) = &self.support_sets {
            answers.check(&of("support sets"))?;
        }
        if let Some(answers) = &self.label_order {
            answers.check(&of("label orders"))?;
        }
        if let Some(answers) = &self.support_order {
            answers.check(&of("orders of the supports"))?;
        }
        if let Some(answers) = &self.step_sizes {
            answers.check(&of("step sizes"))?;
        }
        if let Some(answers) = &self.coupling {
            answers.check(&of("coupling"))?;
        }
        if let Some(answers) = &self.example_influence {
            answers.check(&of("exchanged examples"))?;
        }
        if let Some(answers) = &self.gaps {
            answers.check(&of("gaps"))?;
        }
        if let Some(answers) = &self.trajectory {
            answers.check(&of("trainings in lockstep"))?;
        }
        if let Some(answers) = &self.left_out {
            answers.check(&of("examples left out"))?;
        }
        if let Some(answers) = &self.shots {
            answers.check(&of("numbers of supports"))?;
        }
        if let Some(answers) = &self.curvature {
            answers.check(&of("curvature"))?;
        }
        if let Some(answers) = &self.surface {
            answers.check(&of("loss surface"))?;
        }
        if let Some(answers) = &self.representation {
            answers.check(&of("features"))?;
        }
        if let Some(answers) = &self.task_map {
            answers.check(&of("task embeddings"))?;
        }
        if let Some(answers) = &self.kinship {
            answers.check(&of("kinship"))?;
        }
        if let Some(answers) = &self.corruption {
            answers.check(&of("damage"))?;
        }
        if let Some(answers) = &self.label_noise {
            answers.check(&of("label noise"))?;
        }
        if let Some(answers) = &self.mismatch {
            answers.check(&of("mismatch"))?;
        }
        if let Some(answers) = &self.lifelong {
            answers.check(&of("streams"))?;
        }
        if let Some(answers) = &self.switches {
            answers.check(&of("switches"))?;
        }
        Ok(())
    }
}

fn take<T>(place: &mut Option<T>, other: Option<T>) {
    if other.is_some() {
        *place = other;
    }
}
