//! What a run needs around it, and how work on it ends.

use super::{Material, Record};
use crate::campaign::room::Seat;
use crate::progress::Progress;
use crate::signal::Stop;
use crate::study::RunSettings;

/// What a run needs around it.
pub(crate) struct Workshop<'a> {
    pub(crate) material: &'a Material,
    pub(crate) settings: &'a RunSettings,
    pub(crate) stop: &'a Stop,
    pub(crate) progress: &'a Progress,
    /// Its place among the runs of this process.
    pub(crate) seat: &'a Seat<'a>,
}

/// How work on a run ended.
pub(crate) enum Ended {
    /// With a result; the run is in the store.
    Finished(Box<Record>),
    /// Because the user asked; the state is on the disk.
    Interrupted,
    /// Because another process, which found this one silent, has taken the run over.
    TakenOver,
}
