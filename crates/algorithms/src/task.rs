//! A task as a learner sees it: images and labels of one episode, or inputs and targets of one function, gathered into plain vectors.

use metastable_data::{Dataset, Episode, EpisodeShape, FunctionTask, Intensity, Seeds, Stream};
use metastable_models::{Loss, Real};
use rand::Rng;

use crate::{AlgorithmError, Batch};

/// Makes the task of an index: a pure function, so that any thread may ask for any task in any order.
///
/// Training asks for `step * meta_batch + b` (steps counted from 0); validation and test ask for `0 .. n_tasks`.
pub type TaskSource<'a, T> = dyn Fn(u64) -> Result<Task<T>, AlgorithmError> + Sync + 'a;

/// What the labels of a task stand for.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Classes, `0 .. n_way`.
    Classes,
    /// Numbers: a label is a place in this list. Supports come first, so that each row of the task has a label of its own.
    Values(Vec<f64>),
}

/// One gathered episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Task<T> {
    shape: EpisodeShape,
    images: Vec<T>,
    support_labels: Vec<usize>,
    query_labels: Vec<usize>,
    targets: Targets,
    /// Which order of the supports; see [`Self::arranged`].
    arrangement: u64,
    /// Which class of the source each label stands for; empty where nobody said.
    numbers: Vec<usize>,
}

impl<T: Real> Task<T> {
    /// An episode from its images: supports label by label, then queries label by label.
    ///
    /// # Shapes
    /// `images`: `(n_way * k_shot + n_way * n_query, pixels of an image)`, row-major, in the order of
    /// [`metastable_data::Episode`]; labels follow from that order.
    /// # Errors
    /// [`AlgorithmError::EmptyEpisode`] and [`AlgorithmError::Images`].
    pub fn new(shape: EpisodeShape, images: Vec<T>) -> Result<Self, AlgorithmError> {
        let n_images = shape.n_support() + shape.n_queries();
        let images = Self::checked(shape, images, n_images)?;
        let labels = |n_each| {
            (0..shape.n_way * n_each)
                .map(|row| row / n_each)
                .collect::<Vec<_>>()
        };
        Ok(Self {
            shape,
            images,
            support_labels: labels(shape.k_shot),
            query_labels: labels(shape.n_query),
            targets: Targets::Classes,
            arrangement: 0,
            numbers: Vec::new(),
        })
    }

    /// A task with explicit labels, of which classes may have unequally many supports. The `k_shot` of its shape is the
    /// most supports of a class.
    ///
    /// # Shapes
    /// `images`: `(support_labels.len() + query_labels.len(), pixels of an image)`, row-major; both lists of labels go
    /// `0 ..= n_way - 1` class by class, with equally many queries of each.
    /// # Errors
    /// [`AlgorithmError::Setting`] for labels in another order, a class without a support or a query, or unequally many
    /// queries; those of [`Self::new`].
    pub fn labeled(
        images: Vec<T>,
        support_labels: Vec<usize>,
        query_labels: Vec<usize>,
    ) -> Result<Self, AlgorithmError> {
        let shots = of_each_class("support_labels", &support_labels)?;
        let queries = of_each_class("query_labels", &query_labels)?;
        let n_query = queries.first().copied().unwrap_or(0);
        crate::error::require(
            queries.len() == shots.len() && queries.iter().all(|n| *n == n_query),
            "query_labels",
            format!("{query_labels:?}"),
            "each class that has a support needs equally many queries",
        )?;
        let shape = EpisodeShape {
            n_way: shots.len(),
            k_shot: shots.iter().copied().max().unwrap_or(0),
            n_query,
        };
        let n_images = support_labels.len() + query_labels.len();
        Self::checked(shape, images, n_images).map(|images| Self {
            shape,
            images,
            support_labels,
            query_labels,
            targets: Targets::Classes,
            arrangement: 0,
            numbers: Vec::new(),
        })
    }

    /// A task of regression: rows of inputs, the first `n_support` of which adapt, with one number each to be told.
    ///
    /// Its shape has one "class": `n_way` is the one output of the network, `k_shot` and `n_query` count rows.
    ///
    /// # Shapes
    /// `inputs`: `(values.len(), inputs of a row)`, row-major.
    /// # Errors
    /// [`AlgorithmError::EmptyEpisode`] without a support or a query, [`AlgorithmError::Images`] for inputs that are no rows.
    pub fn of_values(
        inputs: Vec<T>,
        values: Vec<f64>,
        n_support: usize,
    ) -> Result<Self, AlgorithmError> {
        let n_rows = values.len();
        let shape = EpisodeShape {
            n_way: 1,
            k_shot: n_support.min(n_rows),
            n_query: n_rows.saturating_sub(n_support),
        };
        Ok(Self {
            shape,
            images: Self::checked(shape, inputs, n_rows)?,
            support_labels: (0..n_support).collect(),
            query_labels: (n_support..n_rows).collect(),
            targets: Targets::Values(values),
            arrangement: 0,
            numbers: Vec::new(),
        })
    }

    /// The task of a function.
    ///
    /// # Errors
    /// As for [`Self::of_values`].
    pub fn of_function(function: &FunctionTask) -> Result<Self, AlgorithmError> {
        let inputs = function.inputs.iter().map(|x| T::of(*x)).collect();
        Self::of_values(inputs, function.targets.clone(), function.n_support)
    }

    /// What its labels stand for.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The loss of a head on this task: cross-entropy of classes, squared error of numbers.
    #[must_use]
    pub fn head_loss(&self) -> Loss {
        match self.targets {
            Targets::Classes => Loss::CrossEntropy,
            Targets::Values(_) => Loss::SquaredError,
        }
    }

    /// The numbers that these labels stand for; none of classes.
    pub(crate) fn values(&self, labels: &[usize]) -> Option<Vec<f64>> {
        match &self.targets {
            Targets::Classes => None,
            Targets::Values(values) => Some(labels.iter().map(|label| values[*label]).collect()),
        }
    }

    /// The same task that says which class each of its labels stands for, among all classes that its source draws from.
    ///
    /// # Errors
    /// [`AlgorithmError::Setting`] unless there is a number for each label.
    pub fn numbered(self, numbers: Vec<usize>) -> Result<Self, AlgorithmError> {
        crate::error::require(
            numbers.len() == self.shape.n_way,
            "numbers",
            format!("{numbers:?}"),
            "each class of the task needs one",
        )?;
        Ok(Self { numbers, ..self })
    }

    /// The number of the class of each label among all classes of its source; the label itself where nobody said ([`Self::numbered`]).
    #[must_use]
    pub fn class_number(&self, label: usize) -> usize {
        self.numbers.get(label).copied().unwrap_or(label)
    }

    /// Refuses a task of numbers for what needs classes.
    pub(crate) fn needs_classes(&self, what: &'static str) -> Result<(), AlgorithmError> {
        match self.targets {
            Targets::Classes => Ok(()),
            Targets::Values(_) => Err(AlgorithmError::NoClasses { what }),
        }
    }

    /// The images, if they are as many rows of values.
    fn checked(
        shape: EpisodeShape,
        images: Vec<T>,
        n_images: usize,
    ) -> Result<Vec<T>, AlgorithmError> {
        if shape.n_way == 0 || shape.k_shot == 0 || shape.n_query == 0 {
            return Err(AlgorithmError::EmptyEpisode { shape });
        }
        if images.is_empty() || !images.len().is_multiple_of(n_images) {
            return Err(AlgorithmError::Images {
                n_values: images.len(),
                n_images,
                shape,
            });
        }
        Ok(images)
    }

    /// The task of an episode: its images out of the data set, turned as their classes say, ink in `[0, 1]`.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn gather(dataset: &Dataset, episode: &Episode) -> Result<Self, AlgorithmError>
    where
        T: Intensity,
    {
        let mut images = Vec::new();
        episode.gather(dataset, &mut images);
        if episode.is_even() {
            return Self::new(episode.shape, images);
        }
        let supports = episode.support_labels().map(|label| label as usize);
        let queries = episode.query_labels().map(|label| label as usize);
        Self::labeled(images, supports.collect(), queries.collect())
    }

    /// The same task with its classes in another order: class `order[label]` of this one gets `label`.
    ///
    /// # Errors
    /// [`AlgorithmError::Setting`] if `order` does not name each class once, [`AlgorithmError::NoClasses`] for a task of numbers.
    pub fn relabeled(&self, order: &[usize]) -> Result<Self, AlgorithmError> {
        self.needs_classes("another order of the classes")?;
        let mut seen = order.to_vec();
        seen.sort_unstable();
        crate::error::require(
            seen.iter().copied().eq(0..self.shape.n_way),
            "order",
            format!("{order:?}"),
            "it has to name each class of the task once",
        )?;
        let n_pixels = self.n_pixels();
        let mut task = self.clone();
        task.images.clear();
        if !self.numbers.is_empty() {
            task.numbers = order.iter().map(|class| self.numbers[*class]).collect();
        }
        let supports = (self.support_images(), &self.support_labels);
        let queries = (self.query_images(), &self.query_labels);
        for ((images, labels), moved) in [supports, queries]
            .into_iter()
            .zip([&mut task.support_labels, &mut task.query_labels])
        {
            moved.clear();
            for (label, class) in order.iter().enumerate() {
                let rows = images.chunks_exact(n_pixels).zip(labels);
                for (image, _) in rows.filter(|(_, own)| *own == class) {
                    task.images.extend_from_slice(image);
                    moved.push(label);
                }
            }
        }
        Ok(task)
    }

    /// The same task with its supports in another order: each class keeps its place, since learners here read supports class by
    /// class, and its images change theirs. A learner that is sent the supports as one sequence takes `arrangement` as the key of
    /// the order of all of them. 0 is the order of the episode.
    #[must_use]
    pub fn arranged(&self, arrangement: u64) -> Self {
        let n_pixels = self.n_pixels();
        let mut order: Vec<usize> = (0..self.support_labels.len()).collect();
        if arrangement != 0 {
            // One draw a support: a sort by it, within the class, is a shuffle of the class.
            let mut rng = Seeds::all(arrangement).rng(Stream::Support, 0);
            let drawn: Vec<u64> = order.iter().map(|_| rng.next_u64()).collect();
            order.sort_by_key(|row| (self.support_labels[*row], drawn[*row]));
        }
        let rows = order.iter();
        let supports = rows.flat_map(|row| &self.images[row * n_pixels..(row + 1) * n_pixels]);
        Self {
            images: supports.chain(self.query_images()).copied().collect(),
            arrangement,
            ..self.clone()
        }
    }

    /// Key of the order of the supports.
    #[must_use]
    pub fn arrangement(&self) -> u64 {
        self.arrangement
    }

    /// The same task without one of its supports; its shape stays that of the episode it came from.
    ///
    /// # Errors
    /// [`AlgorithmError::Setting`] if there is no such support, or if it is the only one of its class.
    pub fn without_support(&self, row: usize) -> Result<Self, AlgorithmError> {
        let label = self.support_labels.get(row).copied();
        let of_class = self
            .support_labels
            .iter()
            .filter(|other| Some(**other) == label);
        crate::error::require(
            of_class.count() > 1,
            "support",
            row,
            "it has to be one of several of its class: without any, nothing says what the class is",
        )?;
        let n_pixels = self.n_pixels();
        let mut task = self.clone();
        task.images.drain(row * n_pixels..(row + 1) * n_pixels);
        task.support_labels.remove(row);
        Ok(task)
    }

    /// All images as supports, and the queries as they are: the task of a learner that trains on both. Of each class the
    /// supports come first.
    ///
    /// # Errors
    /// None for a task that could be made.
    pub fn joined(&self) -> Result<Self, AlgorithmError> {
        if let Targets::Values(values) = &self.targets {
            // Rows have labels of their own, so the queries stand once among the supports and once as they are.
            let support_labels = [self.support_labels(), self.query_labels()].concat();
            return Ok(Self {
                shape: EpisodeShape {
                    k_shot: support_labels.len(),
                    ..self.shape
                },
                images: [self.images(), self.query_images()].concat(),
                support_labels,
                query_labels: self.query_labels.clone(),
                targets: Targets::Values(values.clone()),
                arrangement: self.arrangement,
                numbers: Vec::new(),
            });
        }
        let n_pixels = self.n_pixels();
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        for label in 0..self.shape.n_way {
            for Batch {
                images: of,
                labels: own,
            } in [self.supports(), self.queries()]
            {
                let rows = of.chunks_exact(n_pixels).zip(own);
                for (image, _) in rows.filter(|(_, own)| **own == label) {
                    images.extend_from_slice(image);
                    labels.push(label);
                }
            }
        }
        images.extend_from_slice(self.query_images());
        let joined = Self::labeled(images, labels, self.query_labels.clone())?;
        Ok(Self {
            numbers: self.numbers.clone(),
            ..joined
        })
    }

    /// The supports, with themselves as queries: the task of a learner that judges what it has adapted to.
    ///
    /// # Errors
    /// [`AlgorithmError::Setting`] where classes have unequally many supports.
    pub fn on_supports(&self) -> Result<Self, AlgorithmError> {
        let images = [self.support_images(), self.support_images()].concat();
        if let Some(values) = self.values(&self.support_labels) {
            return Self::of_values(images, values.repeat(2), values.len());
        }
        let labels = self.support_labels.clone();
        Self::labeled(images, labels.clone(), labels)
    }

    /// The same task with its queries in reverse, under the labels of before: most stand at the label of another.
    pub(crate) fn with_queries_reversed(&self) -> Self {
        let rows = self.query_images().chunks_exact(self.n_pixels()).rev();
        let queries: Vec<T> = rows.flatten().copied().collect();
        Self {
            images: [self.support_images(), &queries].concat(),
            ..self.clone()
        }
    }

    /// The same task with one of its queries and no other; its shape stays that of the episode it came from.
    pub(crate) fn with_query_alone(&self, query: usize) -> Self {
        let (start, n_pixels) = (self.query_start(), self.n_pixels());
        let query_image = &self.images[start + query * n_pixels..][..n_pixels];
        Self {
            shape: self.shape,
            images: [self.support_images(), query_image].concat(),
            support_labels: self.support_labels.clone(),
            query_labels: vec![self.query_labels[query]],
            targets: self.targets.clone(),
            arrangement: self.arrangement,
            numbers: self.numbers.clone(),
        }
    }

    /// The same task in another precision.
    #[must_use]
    pub fn cast<U: Real>(&self) -> Task<U> {
        Task {
            shape: self.shape,
            images: self.images.iter().map(|x| U::of(x.wide())).collect(),
            support_labels: self.support_labels.clone(),
            query_labels: self.query_labels.clone(),
            targets: self.targets.clone(),
            arrangement: self.arrangement,
            numbers: self.numbers.clone(),
        }
    }

    /// The same task with each value of its images replaced by `value(place, old)`; the place counts within the image.
    #[must_use]
    pub fn mapped(mut self, value: impl Fn(usize, T) -> T) -> Self {
        let n_pixels = self.n_pixels();
        for image in self.images.chunks_exact_mut(n_pixels) {
            for (place, old) in image.iter_mut().enumerate() {
                *old = value(place, *old);
            }
        }
        self
    }

    /// Size of the episode.
    #[must_use]
    pub fn shape(&self) -> EpisodeShape {
        self.shape
    }

    /// All images: supports, then queries.
    #[must_use]
    pub fn images(&self) -> &[T] {
        &self.images
    }

    /// The support images.
    #[must_use]
    pub fn support_images(&self) -> &[T] {
        &self.images[..self.query_start()]
    }

    /// The query images.
    #[must_use]
    pub fn query_images(&self) -> &[T] {
        &self.images[self.query_start()..]
    }

    /// The supports, all judged.
    #[must_use]
    pub fn supports(&self) -> Batch<'_, T> {
        Batch {
            images: self.support_images(),
            labels: &self.support_labels,
        }
    }

    /// The queries, all judged.
    #[must_use]
    pub fn queries(&self) -> Batch<'_, T> {
        Batch {
            images: self.query_images(),
            labels: &self.query_labels,
        }
    }

    /// Label of each support: `row / k_shot`, unless one was left out; of numbers see [`Targets::Values`].
    #[must_use]
    pub fn support_labels(&self) -> &[usize] {
        &self.support_labels
    }

    /// Label of each query: `row / n_query`.
    #[must_use]
    pub fn query_labels(&self) -> &[usize] {
        &self.query_labels
    }

    fn query_start(&self) -> usize {
        self.n_pixels() * self.support_labels.len()
    }

    /// Values of an image.
    fn n_pixels(&self) -> usize {
        self.images.len() / (self.support_labels.len() + self.query_labels.len())
    }
}

/// How many labels each class has, if they go class by class from 0 and leave none out.
fn of_each_class(what: &'static str, labels: &[usize]) -> Result<Vec<usize>, AlgorithmError> {
    let mut counts: Vec<usize> = Vec::new();
    for label in labels {
        if *label == counts.len() {
            counts.push(0);
        }
        crate::error::require(
            *label + 1 == counts.len(),
            what,
            format!("{labels:?}"),
            "labels have to go class by class from 0, e.g. [0, 0, 1]",
        )?;
        counts[*label] += 1;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: EpisodeShape = EpisodeShape {
        n_way: 2,
        k_shot: 1,
        n_query: 2,
    };

    #[test]
    fn supports_come_first_and_labels_follow_the_order() {
        let task = Task::new(SHAPE, (0..12).map(f64::from).collect()).unwrap();
        assert_eq!(task.support_images(), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(task.query_images()[..2], [4.0, 5.0]);
        assert_eq!(task.support_labels(), [0, 1]);
        assert_eq!(task.query_labels(), [0, 0, 1, 1]);
    }

    #[test]
    fn relabeling_moves_supports_and_queries_together() {
        let task = Task::new(SHAPE, (0..6).map(f64::from).collect()).unwrap();
        let swapped = task.relabeled(&[1, 0]).unwrap();
        assert_eq!(swapped.images(), [1.0, 0.0, 4.0, 5.0, 2.0, 3.0]);
        assert_eq!(swapped.relabeled(&[1, 0]).unwrap(), task);
        assert!(task.relabeled(&[0, 0]).is_err());
    }

    #[test]
    fn a_support_is_left_out_with_its_label() {
        let shape = EpisodeShape { k_shot: 2, ..SHAPE };
        let task = Task::new(shape, (0..8).map(f64::from).collect()).unwrap();
        let rest = task.without_support(1).unwrap();
        assert_eq!(rest.support_images(), [0.0, 2.0, 3.0]);
        assert_eq!(rest.support_labels(), [0, 1, 1]);
        assert_eq!(rest.query_images(), task.query_images());
        assert!(rest.without_support(0).is_err(), "the last of its class");
        assert!(task.without_support(4).is_err());
    }

    /// Once this gave the images in an order that did not fit the labels, and no error.
    #[test]
    fn labels_stay_with_their_images_when_shots_differ() {
        let shape = EpisodeShape { k_shot: 2, ..SHAPE };
        let task = Task::new(shape, (0..8).map(f64::from).collect()).unwrap();
        let rest = task.without_support(1).unwrap();
        assert_eq!(rest.relabeled(&[0, 1]).unwrap(), rest);
        let swapped = rest.relabeled(&[1, 0]).unwrap();
        assert_eq!(swapped.support_images(), [2.0, 3.0, 0.0]);
        assert_eq!(swapped.support_labels(), [0, 0, 1]);
        assert_eq!(swapped.query_images(), [6.0, 7.0, 4.0, 5.0]);
        assert_eq!(swapped.query_labels(), [0, 0, 1, 1]);
        assert_eq!(swapped.relabeled(&[1, 0]).unwrap(), rest);
    }

    #[test]
    fn explicit_labels_may_differ_in_shots_and_have_to_cover_the_classes() {
        let images = |n: u8| (0..n).map(f64::from).collect::<Vec<_>>();
        let task = Task::labeled(images(5), vec![0, 1, 1], vec![0, 1]).unwrap();
        assert_eq!((task.shape().n_way, task.shape().k_shot), (2, 2));
        assert_eq!(task.support_images(), [0.0, 1.0, 2.0]);
        let plain = Task::new(SHAPE, images(6)).unwrap();
        let labeled = Task::labeled(images(6), vec![0, 1], vec![0, 0, 1, 1]).unwrap();
        assert_eq!(labeled, plain);
        for (supports, queries) in [
            (vec![1, 0], vec![0, 1]),
            (vec![0, 2], vec![0, 1]),
            (vec![0, 1], vec![0, 0]),
            (vec![0], vec![0, 1]),
            (vec![0, 1], vec![0, 0, 1]),
            (vec![], vec![]),
        ] {
            let n = u8::try_from(supports.len() + queries.len()).unwrap();
            assert!(Task::labeled(images(n), supports, queries).is_err());
        }
        assert!(Task::labeled(images(3), vec![0, 1], vec![0, 1]).is_err());
    }

    #[test]
    fn episodes_that_cannot_be_are_named() {
        let empty = EpisodeShape { n_way: 0, ..SHAPE };
        let error = Task::new(empty, vec![1.0_f64]).unwrap_err();
        assert!(matches!(error, AlgorithmError::EmptyEpisode { .. }));
        let error = Task::new(SHAPE, vec![1.0_f64; 7]).unwrap_err();
        assert!(error.to_string().contains("7 pixel values"), "{error}");
    }
}
