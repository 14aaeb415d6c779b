//! F8: how well an embedding keeps classes apart, and how far prototypes move with the support set.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite, check_len};
use crate::summary::{mean, median};

/// Separation of the classes of one task in an embedding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassSeparation {
    /// `mean |z - c_y|^2`: squared distance of an example to the center of its class.
    pub within: f64,
    /// `mean |c_i - c|^2`: squared distance of class centers to their mean.
    pub between: f64,
    /// `within / between`; absent if all centers coincide.
    pub ratio: Option<f64>,
    /// Median over examples of the distance to the nearest wrong center minus the distance to the own one.
    pub margin: f64,
    /// Share of examples that are nearer to a wrong center.
    pub misplaced: f64,
}

/// Separation of classes.
///
/// # Shapes
/// `embeddings`: `(n, width)`, row by row; `labels`: `(n)`, classes `0 .. n_classes`, each at least once.
/// # Errors
/// [`AnalysisError::TooFew`] for fewer than two classes, or a class without examples; [`AnalysisError::Shape`];
/// [`AnalysisError::NotFinite`]; [`AnalysisError::OutOfRange`] for a label.
/// # Source
/// The ratio: the feature-clustering term of Goldblum et al. 2020, with class centers in both parts.
pub fn class_separation(
    embeddings: &[f64],
    labels: &[usize],
    n_classes: usize,
) -> Result<ClassSeparation, AnalysisError> {
    if n_classes < 2 {
        return Err(AnalysisError::too_few("classes", 2, n_classes));
    }
    let rows = split(embeddings, labels.len(), "embeddings")?;
    let centers = class_means(&rows, labels, n_classes)?;
    let middle = average(&centers.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let within = mean(
        &rows
            .iter()
            .zip(labels)
            .map(|(z, y)| squared(z, &centers[*y]))
            .collect::<Vec<_>>(),
    );
    let between = mean(
        &centers
            .iter()
            .map(|c| squared(c, &middle))
            .collect::<Vec<_>>(),
    );
    let margins: Vec<f64> = rows
        .iter()
        .zip(labels)
        .map(|(z, y)| {
            let wrong = (0..n_classes)
                .filter(|c| c != y)
                .map(|c| squared(z, &centers[c]).sqrt());
            wrong.fold(f64::INFINITY, f64::min) - squared(z, &centers[*y]).sqrt()
        })
        .collect();
    Ok(ClassSeparation {
        within,
        between,
        ratio: (between > 0.0).then(|| within / between),
        margin: median(&margins),
        misplaced: margins.iter().filter(|m| **m < 0.0).count() as f64 / margins.len() as f64,
    })
}

/// How far the prototypes of a task move with the support set, relative to how far they are apart:
/// `sqrt(mean over classes and draws |c_(m,i) - c_i|^2 M/(M-1)) / mean over classes of the distance to the nearest other c_j`,
/// `c_i` the mean of class `i` over its `M` draws. Above one half, wrong answers are expected from the draw alone. `None` if
/// prototypes coincide.
///
/// # Shapes
/// `prototypes[draw]`: `(n_classes, width)`, row by row; at least two draws.
/// # Errors
/// [`AnalysisError::TooFew`], [`AnalysisError::Shape`] naming the draw, [`AnalysisError::NotFinite`].
pub fn prototype_spread(
    prototypes: &[Vec<f64>],
    n_classes: usize,
) -> Result<Option<f64>, AnalysisError> {
    if prototypes.len() < 2 {
        return Err(AnalysisError::too_few("support draws", 2, prototypes.len()));
    }
    if n_classes < 2 {
        return Err(AnalysisError::too_few("classes", 2, n_classes));
    }
    let mut draws = Vec::new();
    for (draw, values) in prototypes.iter().enumerate() {
        check_len(
            &format!("prototypes of draw {draw}"),
            prototypes[0].len(),
            values.len(),
        )?;
        draws.push(split(
            values,
            n_classes,
            &format!("prototypes of draw {draw}"),
        )?);
    }
    let centers: Vec<Vec<f64>> = (0..n_classes)
        .map(|class| average(&draws.iter().map(|draw| draw[class]).collect::<Vec<_>>()))
        .collect();
    let moves: Vec<f64> = draws
        .iter()
        .flat_map(|draw| {
            draw.iter()
                .zip(&centers)
                .map(|(c, center)| squared(c, center))
        })
        .collect();
    let m = draws.len() as f64;
    let sd = (mean(&moves) * m / (m - 1.0)).sqrt();
    let nearest: Vec<f64> = (0..n_classes)
        .map(|i| {
            let others = (0..n_classes)
                .filter(|j| *j != i)
                .map(|j| squared(&centers[i], &centers[j]).sqrt());
            others.fold(f64::INFINITY, f64::min)
        })
        .collect();
    let apart = mean(&nearest);
    Ok((apart > 0.0).then(|| sd / apart))
}

fn split<'a>(values: &'a [f64], n: usize, what: &str) -> Result<Vec<&'a [f64]>, AnalysisError> {
    if n == 0 || values.is_empty() {
        return Err(AnalysisError::too_few(what, 1, 0));
    }
    check_len(what, values.len() / n * n, values.len())?;
    check_finite(what, values)?;
    Ok(values.chunks_exact(values.len() / n).collect())
}

fn class_means(
    rows: &[&[f64]],
    labels: &[usize],
    n_classes: usize,
) -> Result<Vec<Vec<f64>>, AnalysisError> {
    if let Some(at) = labels.iter().position(|label| *label >= n_classes) {
        let expected = format!("a class under {n_classes}");
        return Err(AnalysisError::out_of_range(
            "label",
            labels[at] as f64,
            &format!("row {at}"),
            &expected,
        ));
    }
    (0..n_classes)
        .map(|class| {
            let own: Vec<&[f64]> = rows
                .iter()
                .zip(labels)
                .filter(|(_, y)| **y == class)
                .map(|(z, _)| *z)
                .collect();
            if own.is_empty() {
                return Err(AnalysisError::too_few(
                    format!("examples of class {class}"),
                    1,
                    0,
                ));
            }
            Ok(average(&own))
        })
        .collect()
}

fn average(rows: &[&[f64]]) -> Vec<f64> {
    let width = rows.first().map_or(0, |row| row.len());
    (0..width)
        .map(|at| rows.iter().map(|row| row[at]).sum::<f64>() / rows.len() as f64)
        .collect()
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}
