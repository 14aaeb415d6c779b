//! A stream of classes and the heads that learn from it: images come one at a time, class after class, and none comes back.

use std::ops::Range;

use metastable_data::EpisodeShape;

use crate::error::Result;

/// Which images of a stream are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Those that were learnt from, in the order of the stream.
    Learnt,
    /// New ones of the same classes, class by class in the order of the stream.
    New,
}

/// What learns from a stream. The label of a class is its place in the stream.
pub(crate) trait Head {
    /// Learns from image `at` of the stream.
    fn learn(&mut self, at: usize) -> Result<()>;

    /// The label that is given to each of these images; none where it is not a number.
    fn told(&self, part: Part, rows: Range<usize>) -> Result<Vec<Option<usize>>>;
}

/// What a head knew along a stream and at its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Course {
    /// Share of new images of all classes that are told right at the end.
    pub(crate) seen: f64,
    /// The same of the images that were learnt from.
    pub(crate) retained: f64,
    /// Share of new images of block `j` told right after block `i`: `(n_blocks, n_blocks)`, row by row.
    pub(crate) matrix: Vec<f64>,
}

/// The classes of block `block` of so many, of `n_way` classes.
pub(crate) fn block(block: usize, n_blocks: usize, n_way: usize) -> Range<usize> {
    block * n_way / n_blocks..(block + 1) * n_way / n_blocks
}

/// Lets a head see the whole stream once, and asks it after each block of classes.
pub(crate) fn follow(head: &mut dyn Head, shape: EpisodeShape, n_blocks: usize) -> Result<Course> {
    let mut matrix = Vec::with_capacity(n_blocks * n_blocks);
    for after in 0..n_blocks {
        let classes = block(after, n_blocks, shape.n_way);
        for at in classes.start * shape.k_shot..classes.end * shape.k_shot {
            head.learn(at)?;
        }
        for of in 0..n_blocks {
            let classes = block(of, n_blocks, shape.n_way);
            matrix.push(right(head, Part::New, classes, shape.n_query)?);
        }
    }
    Ok(Course {
        seen: right(head, Part::New, 0..shape.n_way, shape.n_query)?,
        retained: right(head, Part::Learnt, 0..shape.n_way, shape.k_shot)?,
        matrix,
    })
}

/// Share of the images of these classes that are told right.
fn right(head: &dyn Head, part: Part, classes: Range<usize>, n_each: usize) -> Result<f64> {
    let rows = classes.start * n_each..classes.end * n_each;
    let told = head.told(part, rows.clone())?;
    let n_right = rows
        .clone()
        .zip(told)
        .filter(|(row, label)| *label == Some(row / n_each))
        .count();
    Ok(n_right as f64 / rows.len() as f64)
}

/// The place of the largest of some numbers, the first of equal ones; none unless all are finite.
pub(crate) fn largest<T: PartialOrd + Copy + Into<f64>>(values: &[T]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (at, value) in values.iter().enumerate() {
        let value: f64 = (*value).into();
        if !value.is_finite() {
            return None;
        }
        if best.is_none_or(|(_, so_far)| value > so_far) {
            best = Some((at, value));
        }
    }
    best.map(|(at, _)| at)
}

/// Features of the images of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'r> {
    pub(crate) shape: EpisodeShape,
    /// Of the images that are learnt from, `k_shot` a class.
    pub(crate) learnt: Vec<&'r [f64]>,
    /// Of the new ones, `n_query` a class.
    pub(crate) new: Vec<&'r [f64]>,
}

impl<'r> Rows<'r> {
    fn of(&self, part: Part, rows: Range<usize>) -> &[&'r [f64]] {
        match part {
            Part::Learnt => &self.learnt[rows],
            Part::New => &self.new[rows],
        }
    }

    fn width(&self) -> usize {
        self.learnt.first().map_or(0, |row| row.len())
    }

    /// `1 + mean |f|^2`: the mean squared length of a feature and the one of its bias.
    pub(crate) fn scale(&self) -> f64 {
        let squares = self.learnt.iter().map(|row| dot(row, row));
        1.0 + squares.sum::<f64>() / self.learnt.len() as f64
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Softmax regression on features, from zero, one step of gradient descent an image.
///
/// `w_k <- w_k - step (p_k - [k = y]) f`, the same for the bias with 1 for `f`; `p = softmax(W f + b)` over all classes of the stream,
/// those to come too, as in the evaluation of Javed & White 2019, "Meta-learning representations for continual learning", NeurIPS, arXiv
/// 1905.12588 (there the head has 1,000 rows).
pub(crate) struct Linear<'r> {
    rows: &'r Rows<'r>,
    step: f64,
    /// `(n_way, width + 1)`, the bias last.
    weights: Vec<f64>,
}

impl<'r> Linear<'r> {
    pub(crate) fn new(rows: &'r Rows<'r>, step: f64) -> Self {
        Self {
            rows,
            step,
            weights: vec![0.0; rows.shape.n_way * (rows.width() + 1)],
        }
    }

    fn logits(&self, row: &[f64]) -> Vec<f64> {
        let rows = self.weights.chunks_exact(row.len() + 1);
        rows.map(|w| dot(&w[..row.len()], row) + w[row.len()])
            .collect()
    }
}

impl Head for Linear<'_> {
    fn learn(&mut self, at: usize) -> Result<()> {
        let row = self.rows.learnt[at];
        let label = at / self.rows.shape.k_shot;
        let mut p = self.logits(row);
        let most = p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        p.iter_mut().for_each(|z| *z = (*z - most).exp());
        let total: f64 = p.iter().sum();
        for (class, (w, p)) in self
            .weights
            .chunks_exact_mut(row.len() + 1)
            .zip(&p)
            .enumerate()
        {
            let target = if class == label { 1.0 } else { 0.0 };
            let push = self.step * (p / total - target);
            let (own, bias) = w.split_at_mut(row.len());
            own.iter_mut().zip(row).for_each(|(w, f)| *w -= push * f);
            bias[0] -= push;
        }
        Ok(())
    }

    fn told(&self, part: Part, rows: Range<usize>) -> Result<Vec<Option<usize>>> {
        let rows = self.rows.of(part, rows).iter();
        Ok(rows.map(|row| largest(&self.logits(row))).collect())
    }
}

/// The mean feature of each class so far, and the nearest of them by squared distance.
///
/// `c_k <- c_k + (f - c_k) / m` with image `m` of class `k`: after any number of images the mean of them, so that later classes change
/// none. What they take from it is that there are more means to be confused with.
pub(crate) struct Prototypes<'r> {
    rows: &'r Rows<'r>,
    /// `(n_way, width)`.
    means: Vec<f64>,
    /// Images of each class so far.
    counts: Vec<usize>,
}

impl<'r> Prototypes<'r> {
    pub(crate) fn new(rows: &'r Rows<'r>) -> Self {
        Self {
            rows,
            means: vec![0.0; rows.shape.n_way * rows.width()],
            counts: vec![0; rows.shape.n_way],
        }
    }
}

impl Head for Prototypes<'_> {
    fn learn(&mut self, at: usize) -> Result<()> {
        let row = self.rows.learnt[at];
        let label = at / self.rows.shape.k_shot;
        self.counts[label] += 1;
        let share = 1.0 / self.counts[label] as f64;
        let mean = &mut self.means[label * row.len()..][..row.len()];
        mean.iter_mut()
            .zip(row)
            .for_each(|(c, f)| *c += (f - *c) * share);
        Ok(())
    }

    fn told(&self, part: Part, rows: Range<usize>) -> Result<Vec<Option<usize>>> {
        let nearest = |row: &&[f64]| {
            let means = self.means.chunks_exact(row.len()).zip(&self.counts);
            let known = means.enumerate().filter(|(_, (_, n))| **n > 0);
            let (labels, closeness): (Vec<usize>, Vec<f64>) = known
                .map(|(label, (mean, _))| {
                    let gaps = mean.iter().zip(*row).map(|(c, f)| f - c);
                    (label, -gaps.map(|gap| gap * gap).sum::<f64>())
                })
                .unzip();
            largest(&closeness).map(|at| labels[at])
        };
        Ok(self.rows.of(part, rows).iter().map(nearest).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: EpisodeShape = EpisodeShape {
        n_way: 3,
        k_shot: 4,
        n_query: 2,
    };

    /// Features that are no pattern: `sin` of large arguments.
    fn table(n: usize, width: usize) -> Vec<f64> {
        (0..n * width)
            .map(|at| (1.0 + at as f64 * 12.9898).sin() * 3.0)
            .collect()
    }

    fn rows(table: &[f64], width: usize) -> Rows<'_> {
        let all: Vec<&[f64]> = table.chunks_exact(width).collect();
        let (learnt, new) = all.split_at(SHAPE.n_support());
        Rows {
            shape: SHAPE,
            learnt: learnt.to_vec(),
            new: new[..SHAPE.n_queries()].to_vec(),
        }
    }

    #[test]
    fn running_means_are_the_means_of_all_images() {
        let table = table(18, 5);
        let rows = rows(&table, 5);
        let mut head = Prototypes::new(&rows);
        for at in 0..SHAPE.n_support() {
            head.learn(at).unwrap();
        }
        for class in 0..SHAPE.n_way {
            for column in 0..5 {
                let own = &rows.learnt[class * 4..(class + 1) * 4];
                let mean = own.iter().map(|row| row[column]).sum::<f64>() / 4.0;
                assert!((head.means[class * 5 + column] - mean).abs() < 1e-14);
            }
        }
        // Of classes that are still to come there is no mean.
        let mut young = Prototypes::new(&rows);
        young.learn(0).unwrap();
        let told = young.told(Part::New, 0..6).unwrap();
        assert!(told.iter().all(|label| *label == Some(0)));
    }

    /// One step from zero: `p = 1/3` for all, so that `w_k = -step (1/3 - [k = y]) f`.
    #[test]
    fn a_step_of_the_linear_head_by_hand() {
        let table = table(18, 2);
        let rows = rows(&table, 2);
        let mut head = Linear::new(&rows, 0.3);
        head.learn(5).unwrap();
        let f = rows.learnt[5];
        for (class, w) in head.weights.chunks_exact(3).enumerate() {
            let factor = if class == 1 { 0.2 } else { -0.1 };
            let expected = [factor * f[0], factor * f[1], factor];
            for (w, expected) in w.iter().zip(expected) {
                assert!((w - expected).abs() < 1e-15);
            }
        }
        // The loss of that image at zero is ln 3; a small step along the gradient makes it smaller by step |gradient|^2.
        let log_p = |weights: &[f64]| {
            let z: Vec<f64> = weights
                .chunks_exact(3)
                .map(|w| w[0] * f[0] + w[1] * f[1] + w[2])
                .collect();
            z[1] - z.iter().map(|z| z.exp()).sum::<f64>().ln()
        };
        let mut small = Linear::new(&rows, 1e-6);
        small.learn(5).unwrap();
        let square = (4.0 + 1.0 + 1.0) / 9.0 * (1.0 + f[0] * f[0] + f[1] * f[1]);
        let gained = log_p(&small.weights) - log_p(&[0.0; 9]);
        assert!((gained / 1e-6 - square).abs() < 1e-4 * square);
    }

    /// Knows the class that it saw last, and no other.
    struct Forgets(Option<usize>);

    impl Head for Forgets {
        fn learn(&mut self, at: usize) -> Result<()> {
            self.0 = Some(at / SHAPE.k_shot);
            Ok(())
        }

        fn told(&self, _: Part, rows: Range<usize>) -> Result<Vec<Option<usize>>> {
            Ok(vec![self.0; rows.len()])
        }
    }

    #[test]
    fn the_matrix_of_a_head_that_forgets_is_the_identity() {
        let course = follow(&mut Forgets(None), SHAPE, 3).unwrap();
        let third = 1.0 / 3.0;
        assert_eq!(course.matrix, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!((course.seen, course.retained), (third, third));
        // Two blocks of three classes: the first has one of them.
        assert_eq!((block(0, 2, 3), block(1, 2, 3)), (0..1, 1..3));
        let course = follow(&mut Forgets(None), SHAPE, 2).unwrap();
        assert_eq!(course.matrix, [1.0, 0.0, 0.0, 0.5]);
    }

    #[test]
    fn what_is_not_finite_is_no_label() {
        assert_eq!(largest(&[1.0_f64, 3.0, 3.0]), Some(1));
        assert_eq!(largest(&[1.0_f64, f64::NAN]), None);
        assert_eq!(largest::<f64>(&[]), None);
    }
}
