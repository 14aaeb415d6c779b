//! Runs that a command on a study's results cannot use.

use crate::Ending;
use crate::store::Stored;
use crate::words::told;

/// Names them on stderr, and remembers that there were any.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    any: bool,
    is_damaged: bool,
}

impl LeftOut {
    /// This run is left out.
    pub(crate) fn note(&mut self, label: &str, stored: &Stored) {
        self.any = true;
        match stored {
            Stored::Damaged(error) => {
                self.is_damaged = true;
                eprintln!("{label}: {}; it is left out", told(error));
            }
            _ => eprintln!("{label} has not ended and is left out"),
        }
    }

    /// How a command ends that did all it could: well only if nothing of what the study planned is missing.
    pub(crate) fn ending(&self) -> Ending {
        if self.is_damaged {
            eprintln!("the command that runs the study makes damaged runs again");
        }
        if self.any {
            Ending::Failed
        } else {
            Ending::Done
        }
    }
}
