//! Which levels of a factor cannot be told from its best, by measured means.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::clustered::Seeds;
use super::columns::{beside, columns, left, occurring, ones, orthonormal, without};
use super::max_t::APART;
use super::responses::PointResponse;
use super::table::{FactorRun, FactorTable, Scale};
use crate::distribution::fisher_quantile;
use crate::estimate::{Estimate, Interval};

/// Levels of a number at which its parabola is looked at.
const GRID: usize = 33;
/// Degrees of freedom that a fit has to leave for its error.
const FEWEST_DF: f64 = 3.0;

/// The best levels of one factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestLevels {
    /// The factor.
    pub factor: String,
    /// The level with the highest mean, at equal levels of the other factors.
    pub top: String,
    /// Stretches of levels that cannot be told from it, each as its first and last level.
    pub kept: Vec<[String; 2]>,
    /// Whether any level is told from the best.
    pub settled: bool,
    /// The level that lies farthest under the top.
    pub worst: String,
    /// How far, with an interval that holds for all pairs of levels at once.
    pub fall: Estimate,
    /// Runs at the kept levels.
    pub n_runs: usize,
    /// Of those, failed; a failed run without a response is in no mean.
    pub n_failed: usize,
}

impl BestLevels {
    /// Whether most runs at the kept levels failed, so that their mean is one of survivors.
    #[must_use]
    pub fn mostly_failed(&self) -> bool {
        2 * self.n_failed > self.n_runs
    }
}

/// The coefficients of one factor beside all others, with what they vary by.
struct Fit {
    beta: DVector<f64>,
    /// Their covariance from the scatter of the points about the design.
    of_points: DMatrix<f64>,
    points_df: f64,
    /// Their covariance from seed to seed, where points share seeds; its degrees of freedom.
    of_seeds: Option<(DMatrix<f64>, f64)>,
}

/// Each factor with its best levels: means by least squares with all factors as columns (a number by its line and its square, a
/// category by its levels), differences from the top by Scheffe's interval, which holds for all pairs of levels at once and so for a
/// top that the data chose. A factor that the others leave less than 15 % of is left out, as is everything if fewer than three degrees
/// of freedom are left.
///
/// Where points share seeds, the variance of a difference is that over points and that over seeds together, as in the tested list.
///
/// # Source
/// Scheffe 1953; Miller 1981, "Simultaneous Statistical Inference", section 2.2.
pub(super) fn list(
    table: &FactorTable,
    found: &PointResponse,
    seeds: &Seeds,
    level: f64,
) -> Vec<BestLevels> {
    let domains = table.domains();
    let designs: Vec<DMatrix<f64>> = domains
        .iter()
        .enumerate()
        .map(|(at, domain)| columns(&found.x, at, *domain, 2))
        .collect();
    (0..domains.len())
        .filter_map(|at| {
            let fit = fit(table, found, seeds, &designs, at)?;
            of_factor(table, found, at, &fit, level)
        })
        .collect()
}

fn fit(
    table: &FactorTable,
    found: &PointResponse,
    seeds: &Seeds,
    designs: &[DMatrix<f64>],
    at: usize,
) -> Option<Fit> {
    let n = found.y.len();
    let others = designs.iter().enumerate().filter(|(other, _)| *other != at);
    let others = others.fold(ones(n), |all, (_, design)| beside(&all, design));
    let basis = orthonormal(&others);
    let own = &designs[at];
    let df = n as f64 - (basis.ncols() + own.ncols()) as f64;
    if own.ncols() == 0 || df < FEWEST_DF || left(own, &basis) < APART {
        return None;
    }
    let z = without(own, &basis);
    let inverse = (z.transpose() * &z).try_inverse()?;
    let solve = |y: &DVector<f64>| &inverse * (z.transpose() * y);
    let y = DVector::from_column_slice(&found.y);
    let beta = solve(&y);
    let rest = without(&DMatrix::from_column_slice(n, 1, &found.y), &basis) - &z * &beta;
    let scatter = rest.norm_squared() / df;
    Some(Fit {
        of_points: &inverse * scatter,
        points_df: df,
        of_seeds: if seeds.shared {
            Some(of_seeds(table, found, seeds, &solve)?)
        } else {
            None
        },
        beta,
    })
}

/// The covariance of the mean over seeds of the coefficients, from seeds with a response at every point; without two such seeds
/// nothing is known.
fn of_seeds(
    table: &FactorTable,
    found: &PointResponse,
    seeds: &Seeds,
    solve: &impl Fn(&DVector<f64>) -> DVector<f64>,
) -> Option<(DMatrix<f64>, f64)> {
    let at_point = |seed: usize, runs: &Vec<usize>| {
        let run = runs.iter().find(|&&run| seeds.of_run[run] == seed)?;
        table.runs[*run].response
    };
    let each: Vec<DVector<f64>> = (0..seeds.n)
        .filter_map(|seed| {
            let values: Option<Vec<f64>> =
                found.runs.iter().map(|runs| at_point(seed, runs)).collect();
            values.map(|values| solve(&DVector::from_vec(values)))
        })
        .collect();
    let n = each.len();
    if n < 2 {
        return None;
    }
    let mean = each.iter().sum::<DVector<f64>>() / n as f64;
    let k = mean.len();
    let squares = each.iter().fold(DMatrix::zeros(k, k), |sum, one| {
        let apart = one - &mean;
        sum + &apart * apart.transpose()
    });
    let df = n as f64 - 1.0;
    Some((squares / (df * n as f64), df))
}

impl Fit {
    /// The variance of a contrast, and its degrees of freedom (Satterthwaite where two sources add up).
    fn variance(&self, contrast: &DVector<f64>) -> (f64, f64) {
        let of = |covariance: &DMatrix<f64>| (contrast.transpose() * covariance * contrast)[(0, 0)];
        let points = of(&self.of_points);
        let Some((covariance, seeds_df)) = &self.of_seeds else {
            return (points, self.points_df);
        };
        let seeds = of(covariance);
        let total = points + seeds;
        let df = total * total / (points * points / self.points_df + seeds * seeds / seeds_df);
        (total, df)
    }

    /// How much higher the first level lies than the second, with Scheffe's interval.
    fn difference(&self, levels: [&DVector<f64>; 2], level: f64) -> Estimate {
        let contrast = levels[0] - levels[1];
        let value = contrast.dot(&self.beta);
        let (variance, df) = self.variance(&contrast);
        let k = self.beta.len() as f64;
        let half_width = if variance > 0.0 {
            (k * fisher_quantile(level, k, df) * variance).sqrt()
        } else {
            0.0
        };
        let method = "Scheffe, all pairs of levels";
        Estimate::new(value, Interval::around(value, half_width, level, method))
    }
}

/// Levels at which a factor is looked at: its coordinate, and its columns before they are centred.
fn levels(table: &FactorTable, found: &PointResponse, at: usize) -> Vec<(f64, DVector<f64>)> {
    if let Scale::Categories(_) = table.factors[at].scale {
        let all = occurring(&found.x, at);
        let columns = |level: usize| {
            let is = all
                .iter()
                .skip(1)
                .map(|&other| f64::from(u8::from(other == level)));
            DVector::from_iterator(all.len() - 1, is)
        };
        return all
            .iter()
            .map(|&level| (level as f64, columns(level)))
            .collect();
    }
    let seen = |least: fn(f64, f64) -> f64, start: f64| {
        found.x.iter().map(|point| point[at]).fold(start, least)
    };
    let (low, high) = (seen(f64::min, 1.0), seen(f64::max, 0.0));
    (0..GRID)
        .map(|step| {
            let u = low + (high - low) * step as f64 / (GRID - 1) as f64;
            (u, DVector::from_vec(vec![u - 0.5, (u - 0.5).powi(2)]))
        })
        .collect()
}

fn of_factor(
    table: &FactorTable,
    found: &PointResponse,
    at: usize,
    fit: &Fit,
    level: f64,
) -> Option<BestLevels> {
    let scale = &table.factors[at].scale;
    let levels = levels(table, found, at);
    let height = |at: &usize| levels[*at].1.dot(&fit.beta);
    let order = |a: &usize, b: &usize| height(a).total_cmp(&height(b));
    let top = (0..levels.len()).max_by(order)?;
    let under: Vec<Estimate> = levels
        .iter()
        .map(|(_, other)| fit.difference([&levels[top].1, other], level))
        .collect();
    let worst = (0..levels.len()).min_by(order)?;
    let is_kept = |at: usize| {
        let apart = |interval: &Interval| interval.lower > 0.0;
        !under[at].interval.as_ref().is_some_and(apart)
    };
    let name = |at: usize| match scale {
        Scale::Categories(_) => scale.label(levels[at].0),
        _ => scale.label(scale.from_unit(levels[at].0)),
    };
    let stretches = match scale {
        Scale::Categories(_) => (0..levels.len())
            .filter(|&at| is_kept(at))
            .map(|at| (at, at))
            .collect(),
        _ => stretches((0..levels.len()).map(is_kept)),
    };
    // Numbers between two places of the grid belong to the nearer one.
    let reach = match scale {
        Scale::Categories(_) => 0.0,
        _ => (levels[levels.len() - 1].0 - levels[0].0) / (2 * (GRID - 1)) as f64,
    };
    let here = |run: &FactorRun| {
        let u = scale.to_unit(run.levels[at]);
        stretches
            .iter()
            .any(|&(first, last)| levels[first].0 - reach <= u && u <= levels[last].0 + reach)
    };
    let runs = || table.runs.iter().filter(|run| here(run));
    Some(BestLevels {
        factor: table.factors[at].name.clone(),
        top: name(top),
        kept: stretches
            .iter()
            .map(|&(first, last)| [name(first), name(last)])
            .collect(),
        settled: !(0..levels.len()).all(is_kept),
        worst: name(worst),
        fall: under[worst].clone(),
        n_runs: runs().count(),
        n_failed: runs().filter(|run| run.failed).count(),
    })
}

/// Unbroken stretches of what is kept, each by its first and last place.
fn stretches(kept: impl Iterator<Item = bool>) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, _) in kept.enumerate().filter(|(_, is)| *is) {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == at => *last = at,
            _ => found.push((at, at)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::super::clustered::seeds;
    use super::super::responses::mean_response;
    use super::super::table::Factor;
    use super::*;
    use crate::distribution::student_quantile;
    use crate::random::{generator, uniform};

    fn categories(names: &[&str]) -> Scale {
        Scale::Categories(names.iter().map(|&name| name.to_owned()).collect())
    }

    fn table(factors: Vec<(&str, Scale)>, rows: &[(Vec<f64>, f64, bool)]) -> FactorTable {
        let factor = |(name, scale): (&str, Scale)| Factor {
            name: name.to_owned(),
            scale,
        };
        let run = |(at, (levels, value, failed)): (usize, &(Vec<f64>, f64, bool))| FactorRun {
            id: at.to_string(),
            levels: levels.clone(),
            response: Some(*value),
            failed: *failed,
            ..FactorRun::default()
        };
        FactorTable {
            response: "score".to_owned(),
            factors: factors.into_iter().map(factor).collect(),
            runs: rows.iter().enumerate().map(run).collect(),
            ..FactorTable::default()
        }
    }

    fn found(table: &FactorTable) -> Vec<BestLevels> {
        list(table, &mean_response(table).unwrap(), &seeds(table), 0.95)
    }

    /// One factor of two levels whose points a number without effect tells apart: the difference and its interval are those of the
    /// regression on both, here orthogonal, so that the closed form is Student's with what the number explains taken out.
    #[test]
    fn two_levels_have_the_interval_of_the_regression() {
        let y = [
            0.61, 0.64, 0.60, 0.66, 0.63, 0.62, 0.70, 0.72, 0.69, 0.75, 0.71, 0.74,
        ];
        let rows: Vec<_> = (0..12)
            .map(|at| {
                (
                    vec![f64::from(at >= 6), (at % 6) as f64],
                    y[at as usize],
                    false,
                )
            })
            .collect();
        let sets = categories(&["s0", "s1", "s2", "s3", "s4", "s5"]);
        let best = found(&table(
            vec![("method", categories(&["A", "B"])), ("set", sets)],
            &rows,
        ));
        let differences: Vec<f64> = (0..6).map(|at| y[at + 6] - y[at]).collect();
        let value = differences.iter().sum::<f64>() / 6.0;
        let scatter = differences.iter().map(|d| (d - value).powi(2)).sum::<f64>() / 5.0;
        let half = student_quantile(0.975, 5.0) * (scatter / 6.0).sqrt();
        let method = &best[0];
        let interval = method.fall.interval.clone().unwrap();
        assert!((method.fall.value - value).abs() < 1e-12);
        assert!(
            (interval.half_width() - half).abs() < 1e-9,
            "paired t: {half}, {interval:?}"
        );
        assert_eq!((method.top.as_str(), method.worst.as_str()), ("B", "A"));
        assert_eq!(method.kept, [["B".to_owned(), "B".to_owned()]]);
    }

    /// B above A in each of five sets by 2 points: a forest once called A the best.
    #[test]
    fn a_level_that_is_above_in_every_set_is_the_best() {
        let rows: Vec<_> = (0..10)
            .map(|at| {
                let (method, set) = (at / 5, at % 5);
                let noise = [0.001, -0.001, 0.002, 0.0, -0.002][(at * 3 % 5) as usize];
                (
                    vec![method as f64, set as f64],
                    0.5 + 0.08 * set as f64 + 0.02 * method as f64 + noise,
                    false,
                )
            })
            .collect();
        let sets = categories(&["s0", "s1", "s2", "s3", "s4"]);
        let best = found(&table(
            vec![("method", categories(&["A", "B"])), ("set", sets)],
            &rows,
        ));
        assert_eq!(best[0].top, "B");
        assert!(best[0].settled, "{:?}", best[0]);
    }

    fn parabola(at_best: f64, noise: f64, seed: u64) -> FactorTable {
        let mut random = generator(seed, "parabola", 0);
        let rows: Vec<_> = (0..40)
            .map(|_| {
                let (u, other): (f64, f64) = (uniform(&mut random), uniform(&mut random));
                let error: f64 = StandardNormal.sample(&mut random);
                let value = 0.7 - 0.4 * (u - at_best).powi(2) + 0.1 * other + noise * error;
                (vec![10f64.powf(2.0 * u - 2.0), other], value, false)
            })
            .collect();
        let rate = Scale::Logarithmic {
            low: 0.01,
            high: 1.0,
        };
        table(
            vec![
                ("rate", rate),
                (
                    "other",
                    Scale::Linear {
                        low: 0.0,
                        high: 1.0,
                    },
                ),
            ],
            &rows,
        )
    }

    /// A parabola has its top where it was put, and the region of a noisy one holds it.
    #[test]
    fn the_top_of_a_parabola_is_kept() {
        let exact = found(&parabola(0.5, 0.0, 1));
        assert!(
            (exact[0].top.parse::<f64>().unwrap() / 0.1).ln().abs() < 0.16,
            "{:?}",
            exact[0]
        );
        let lost = (0..200).filter(|&seed| {
            let best = &found(&parabola(0.5, 0.03, seed))[0];
            !best.kept.iter().any(|[first, last]| {
                first.parse::<f64>().unwrap() <= 0.1 && 0.1 <= last.parse::<f64>().unwrap()
            })
        });
        let lost = lost.count();
        assert!(
            lost <= 10,
            "the true top is left out in {lost} of 200 tables"
        );
    }

    /// Where no level matters, at most 5 % of factors are said to have a best level (three standard errors allowed).
    #[test]
    fn where_nothing_differs_no_level_is_best() {
        let mut random = generator(7, "null", 0);
        let settled = (0..400).filter(|_| {
            let rows: Vec<_> = (0..24)
                .map(|at| {
                    (
                        vec![(at % 4) as f64, f64::from(at) / 23.0],
                        StandardNormal.sample(&mut random),
                        false,
                    )
                })
                .collect();
            let scales = vec![
                ("norm", categories(&["a", "b", "c", "d"])),
                (
                    "rate",
                    Scale::Linear {
                        low: 0.0,
                        high: 1.0,
                    },
                ),
            ];
            found(&table(scales, &rows))[0].settled
        });
        let settled = settled.count();
        assert!(settled <= 33, "{settled} of 400");
    }

    /// The mean of survivors is not called the best.
    #[test]
    fn a_level_at_which_most_runs_failed_says_so() {
        let rows: Vec<_> = (0..24)
            .map(|at| {
                (
                    vec![f64::from(at % 2), f64::from(at / 2)],
                    if at % 2 == 1 { 0.9 } else { 0.5 } + 0.001 * f64::from(at % 5),
                    at % 2 == 1 && at > 8,
                )
            })
            .collect();
        let best = found(&table(
            vec![
                ("norm", categories(&["none", "batch"])),
                (
                    "rate",
                    Scale::Linear {
                        low: 0.0,
                        high: 11.0,
                    },
                ),
            ],
            &rows,
        ));
        assert_eq!((best[0].n_runs, best[0].n_failed), (12, 8));
        assert!(best[0].settled && best[0].mostly_failed());
    }
}
