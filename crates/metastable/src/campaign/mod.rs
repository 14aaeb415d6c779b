//! A campaign: all runs of a study, worked off by as many processes as share its store.

pub(crate) mod events;
pub(crate) mod factors;
pub(crate) mod far;
pub(crate) mod folder;
pub(crate) mod left_out;
pub(crate) mod queue;
pub(crate) mod replacements;
pub(crate) mod room;
pub(crate) mod status;
pub(crate) mod work;

pub(crate) use folder::{Finished, StudyFolder};
pub(crate) use queue::Place;
pub(crate) use work::Campaign;
