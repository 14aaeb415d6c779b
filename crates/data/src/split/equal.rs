//! Equal pictures in two parts of a split: a test on what was learnt.

use std::collections::BTreeSet;

use super::Split;
use super::part::{MetaSplit, error};
use crate::receipt::Place;
use crate::{DataError, Dataset};

impl Split {
    /// Groups of equal images that lie in two or more of the parts, by the [`crate::Receipt`] of the data set; none
    /// where it has no receipt.
    #[must_use]
    pub fn equal_over_parts<'d>(&self, dataset: &'d Dataset) -> Vec<&'d Vec<Place>> {
        let part_of = |place: &Place| {
            let class_idx = dataset.class_idx(&place.class)?;
            let holds = |part: &MetaSplit| self.classes(*part).contains(&class_idx);
            MetaSplit::ALL.into_iter().find(holds)
        };
        let is_over = |group: &&Vec<Place>| {
            let parts: BTreeSet<_> = group.iter().filter_map(part_of).collect();
            parts.len() > 1
        };
        let groups = dataset.receipt.iter().flat_map(|receipt| &receipt.equal);
        groups.filter(is_over).collect()
    }

    /// Refuses a split of which two parts share a picture.
    ///
    /// # Errors
    /// [`DataError::Split`] with the number of such pictures and the files of the first.
    pub fn refuse_equal_over_parts(&self, dataset: &Dataset) -> Result<(), DataError> {
        let groups = self.equal_over_parts(dataset);
        let Some(first) = groups.first() else {
            return Ok(());
        };
        let files: Vec<String> = first
            .iter()
            .map(|place| place.file.display().to_string())
            .collect();
        Err(error(
            dataset,
            &self.rule,
            format!(
                "{} pictures are in two parts of the split: {}",
                groups.len(),
                files.join(" = ")
            ),
            "a test on them is a test on what was learnt: remove the copies, or allow them with data.allow_duplicates = true",
        ))
    }
}
