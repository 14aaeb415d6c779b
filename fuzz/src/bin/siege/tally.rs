//! What was tried and what failed, by kind.

use std::collections::BTreeMap;
use std::fmt;

/// Tries and faults of each kind.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Heading of the column of tries.
    what: &'static str,
    tries: BTreeMap<String, usize>,
    faults: Vec<(String, String)>,
    notes: Vec<String>,
}

impl Tally {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            ..Self::default()
        }
    }

    /// One try of that kind.
    pub(crate) fn tried(&mut self, kind: &str) {
        *self.tries.entry(kind.to_owned()).or_default() += 1;
    }

    /// Something that may not happen.
    pub(crate) fn fault(&mut self, kind: &str, what: String) {
        eprintln!("FAULT in {kind}: {what}");
        self.faults.push((kind.to_owned(), what));
    }

    /// Faults where the condition does not hold.
    pub(crate) fn expect(&mut self, holds: bool, kind: &str, what: impl FnOnce() -> String) {
        if !holds {
            self.fault(kind, what());
        }
    }

    /// A line below the table.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(crate) fn n_tries(&self) -> usize {
        self.tries.values().sum()
    }

    pub(crate) fn n_faults(&self) -> usize {
        self.faults.len()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| kind | {} | faults |\n| --- | ---: | ---: |",
            self.what
        )?;
        for (kind, tries) in &self.tries {
            let n_faults = self.faults.iter().filter(|(it, _)| it == kind).count();
            writeln!(f, "| {kind} | {tries} | {n_faults} |")?;
        }
        let (tries, faults) = (self.n_tries(), self.n_faults());
        writeln!(f, "| all | {tries} | {faults} |")?;
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        for (kind, what) in &self.faults {
            writeln!(f, "fault in {kind}: {what}")?;
        }
        Ok(())
    }
}
