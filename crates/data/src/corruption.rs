//! Damage to images, in nine kinds and five severities: what a test under shift puts in place of clean images.
//!
//! In the manner of MNIST-C (Mu and Gilmer 2019) and ImageNet-C (Hendrycks and Dietterich 2019); sizes in pixels are for
//! a side of 28 and grow with the image, of which the shorter side counts where it is not square. The strengths are our
//! own: handwriting of one pixel's width bears less than photographs do.

use std::f64::consts::TAU;

use rand_chacha::rand_core::Rng;

use crate::ImageSize;

/// A kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Corruption {
    /// Normal noise on every pixel, standard deviation 0.08 a severity.
    Noise,
    /// Normal blur, standard deviation 0.4 pixels a severity.
    Blur,
    /// A square of paper somewhere on the image, its side 0.1 of the image's shorter one and 0.08 more a severity.
    Occlusion,
    /// A shift by 1.2 pixels a severity, in a random direction.
    Shift,
    /// A turn by 9 degrees a severity, to either side.
    Rotation,
    /// A factor of `1 + 0.12` a severity, larger or smaller.
    Scale,
    /// Ink fades: multiplied by `1 - 0.18` a severity, on a paper that darkens by 0.08 a severity.
    Contrast,
    /// Thicker strokes, by 0.4 pixels a severity on each side.
    Thickness,
    /// 3 % of the pixels a severity are full ink or bare paper.
    SaltAndPepper,
}

/// Highest severity; 0 is no damage.
pub const SEVERITIES: u8 = 5;

impl Corruption {
    /// Every kind with its written name.
    pub const ALL: [(&'static str, Self); 9] = [
        ("noise", Self::Noise),
        ("blur", Self::Blur),
        ("occlusion", Self::Occlusion),
        ("shift", Self::Shift),
        ("rotation", Self::Rotation),
        ("scale", Self::Scale),
        ("contrast", Self::Contrast),
        ("thickness", Self::Thickness),
        ("salt-and-pepper", Self::SaltAndPepper),
    ];

    /// The damaged image; at severity 0 the image itself.
    ///
    /// Several channels are damaged alike (one place, one direction, the same specks), but for noise, which is another in each.
    /// Paper is 0 in every channel.
    ///
    /// # Shapes
    /// `image`: `(height, width, channels)` row-major, in `[0, 1]`; so is the result. The number of channels follows from its length.
    #[must_use]
    pub fn apply<R: Rng + Clone>(
        self,
        image: &[f32],
        size: impl Into<ImageSize>,
        severity: u8,
        rng: &mut R,
    ) -> Vec<f32> {
        if severity == 0 {
            return image.to_vec();
        }
        let size = size.into();
        let channels = image.len() / size.n_pixels();
        if channels == 1 {
            return self.apply_to_plane(image, size, severity, rng);
        }
        let start = rng.clone();
        let mut damaged = vec![0.0; image.len()];
        for channel in 0..channels {
            let values = || (channel..image.len()).step_by(channels);
            let plane: Vec<f32> = values().map(|at| image[at]).collect();
            if self != Self::Noise {
                *rng = start.clone();
            }
            let plane = self.apply_to_plane(&plane, size, severity, rng);
            for (at, value) in values().zip(plane) {
                damaged[at] = value;
            }
        }
        damaged
    }

    fn apply_to_plane(
        self,
        image: &[f32],
        size: ImageSize,
        severity: u8,
        rng: &mut impl Rng,
    ) -> Vec<f32> {
        let strength = f64::from(severity.min(SEVERITIES));
        let pixels = strength * shorter(size) as f64 / 28.0;
        let [middle_y, middle_x] =
            [size.height, size.width].map(|length| (length as f64 - 1.0) / 2.0);
        match self {
            Self::Noise => {
                let noisy = image
                    .iter()
                    .map(|ink| clipped(f64::from(*ink) + 0.08 * strength * normal(rng)));
                noisy.collect()
            }
            Self::Blur => blurred(image, size, 0.4 * pixels),
            Self::Occlusion => occluded(image, size, 0.1 + 0.08 * strength, rng),
            Self::Shift => {
                let angle = TAU * uniform(rng);
                let (dy, dx) = (1.2 * pixels * angle.sin(), 1.2 * pixels * angle.cos());
                resampled(image, size, |y, x| (y - dy, x - dx))
            }
            Self::Rotation => {
                let angle = sign(rng) * strength * 9.0_f64.to_radians();
                let (sin, cos) = angle.sin_cos();
                resampled(image, size, |y, x| {
                    let (y, x) = (y - middle_y, x - middle_x);
                    (middle_y + cos * y - sin * x, middle_x + sin * y + cos * x)
                })
            }
            Self::Scale => {
                let factor = (1.0 + 0.12 * strength).powf(sign(rng));
                resampled(image, size, |y, x| {
                    (
                        middle_y + (y - middle_y) / factor,
                        middle_x + (x - middle_x) / factor,
                    )
                })
            }
            Self::Contrast => {
                let (fade, paper) = (1.0 - 0.18 * strength, 0.08 * strength);
                image
                    .iter()
                    .map(|ink| clipped(paper + fade * f64::from(*ink)))
                    .collect()
            }
            Self::Thickness => thickened(image, size, 0.4 * pixels),
            Self::SaltAndPepper => {
                let speck = |ink: &f32| {
                    let (hit, is_ink) = (uniform(rng) < 0.03 * strength, uniform(rng) < 0.5);
                    match (hit, is_ink) {
                        (true, true) => 1.0,
                        (true, false) => 0.0,
                        (false, _) => *ink,
                    }
                };
                image.iter().map(speck).collect()
            }
        }
    }
}

fn shorter(size: ImageSize) -> usize {
    size.height.min(size.width)
}

fn clipped(ink: f64) -> f32 {
    ink.clamp(0.0, 1.0) as f32
}

/// A number in `[0, 1)`.
fn uniform(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn sign(rng: &mut impl Rng) -> f64 {
    if uniform(rng) < 0.5 { -1.0 } else { 1.0 }
}

/// A standard normal draw (Box and Muller 1958).
fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
    radius * (TAU * uniform(rng)).cos()
}

/// The image as seen through `from`, which says where each pixel (row, column) comes from; bilinear, paper outside.
fn resampled(image: &[f32], size: ImageSize, from: impl Fn(f64, f64) -> (f64, f64)) -> Vec<f32> {
    let at = |row: f64, column: f64| {
        let inside = |v: f64, length: usize| (0.0..length as f64).contains(&v);
        if inside(row, size.height) && inside(column, size.width) {
            f64::from(image[row as usize * size.width + column as usize])
        } else {
            0.0
        }
    };
    (0..size.n_pixels())
        .map(|pixel| {
            let (y, x) = from((pixel / size.width) as f64, (pixel % size.width) as f64);
            let (top, left) = (y.floor(), x.floor());
            let (down, right) = (y - top, x - left);
            clipped(
                (1.0 - down) * ((1.0 - right) * at(top, left) + right * at(top, left + 1.0))
                    + down
                        * ((1.0 - right) * at(top + 1.0, left) + right * at(top + 1.0, left + 1.0)),
            )
        })
        .collect()
}

/// Normal blur, one axis after the other; paper outside.
fn blurred(image: &[f32], size: ImageSize, deviation: f64) -> Vec<f32> {
    let reach = (3.0 * deviation).ceil() as i64;
    let weights: Vec<f64> = (-reach..=reach)
        .map(|d| (-0.5 * (d as f64 / deviation).powi(2)).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    let pass = |from: &[f32],
                (stride, length): (usize, usize),
                along: &dyn Fn(usize) -> usize|
     -> Vec<f32> {
        (0..size.n_pixels())
            .map(|pixel| {
                let position = along(pixel) as i64;
                let near = (-reach..=reach)
                    .zip(&weights)
                    .filter(|(d, _)| (0..length as i64).contains(&(position + d)));
                let sum: f64 = near
                    .map(|(d, weight)| {
                        weight * f64::from(from[(pixel as i64 + d * stride as i64) as usize])
                    })
                    .sum();
                clipped(sum / total)
            })
            .collect()
    };
    let ImageSize { height, width } = size;
    let across = pass(image, (1, width), &|pixel| pixel % width);
    pass(&across, (width, height), &|pixel| pixel / width)
}

fn occluded(image: &[f32], size: ImageSize, share: f64, rng: &mut impl Rng) -> Vec<f32> {
    let most = shorter(size);
    let side = ((share * most as f64).round() as usize).clamp(1, most);
    let mut start = |length: usize| (uniform(rng) * (length - side + 1) as f64) as usize;
    let (top, left) = (start(size.height), start(size.width));
    let mut covered = image.to_vec();
    for row in covered.chunks_exact_mut(size.width).skip(top).take(side) {
        row[left..left + side].fill(0.0);
    }
    covered
}

/// The highest ink within one pixel, as many times as the radius has whole pixels, and in part for the rest.
fn thickened(image: &[f32], size: ImageSize, radius: f64) -> Vec<f32> {
    let ImageSize { height, width } = size;
    let widened = |from: &[f32]| -> Vec<f32> {
        (0..size.n_pixels())
            .map(|pixel| {
                let (y, x) = (pixel / width, pixel % width);
                let rows = y.saturating_sub(1)..(y + 2).min(height);
                let near = rows.flat_map(|row| {
                    (x.saturating_sub(1)..(x + 2).min(width)).map(move |c| row * width + c)
                });
                near.map(|at| from[at]).fold(0.0, f32::max)
            })
            .collect()
    };
    let mut thick = image.to_vec();
    for _ in 0..radius as usize {
        thick = widened(&thick);
    }
    let rest = radius.fract() as f32;
    let wider = widened(&thick);
    thick
        .iter()
        .zip(&wider)
        .map(|(a, b)| a + rest * (b - a))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Seeds, Stream};

    const SIDE: usize = 28;

    /// A ring of ink.
    fn ring() -> Vec<f32> {
        let at = |pixel: usize| {
            let (y, x) = ((pixel / SIDE) as f32 - 13.5, (pixel % SIDE) as f32 - 13.5);
            (1.5 - (y.hypot(x) - 7.0).abs()).clamp(0.0, 1.0)
        };
        (0..SIDE * SIDE).map(at).collect()
    }

    fn apply(kind: Corruption, severity: u8) -> Vec<f32> {
        let mut rng = Seeds::all(1).rng(Stream::Augment, 0);
        kind.apply(&ring(), SIDE, severity, &mut rng)
    }

    fn distance(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
    }

    #[test]
    fn every_kind_keeps_ink_in_bounds_repeats_and_grows_with_its_severity() {
        for (name, kind) in Corruption::ALL {
            assert_eq!(apply(kind, 0), ring(), "{name}");
            assert_eq!(apply(kind, 3), apply(kind, 3), "{name}");
            let damage: Vec<f32> = (1..=SEVERITIES)
                .map(|severity| {
                    let image = apply(kind, severity);
                    assert!(image.iter().all(|ink| (0.0..=1.0).contains(ink)), "{name}");
                    distance(&image, &ring())
                })
                .collect();
            assert!(
                damage[0] > 0.0 || kind == Corruption::Rotation || kind == Corruption::Occlusion,
                "{name} {damage:?}"
            );
            // A ring looks turned but little.
            if kind != Corruption::Rotation && kind != Corruption::Occlusion {
                assert!(damage[4] > damage[0], "{name} {damage:?}");
            }
        }
    }

    #[test]
    fn channels_are_damaged_alike_and_noise_differs() {
        let coloured: Vec<f32> = ring().iter().flat_map(|ink| [*ink; 3]).collect();
        for (name, kind) in Corruption::ALL {
            let mut rng = Seeds::all(1).rng(Stream::Augment, 0);
            let damaged = kind.apply(&coloured, SIDE, 3, &mut rng);
            let plane = |channel| -> Vec<f32> {
                damaged.iter().skip(channel).step_by(3).copied().collect()
            };
            assert_eq!(plane(0), apply(kind, 3), "{name}");
            let is_alike = plane(0) == plane(1) && plane(1) == plane(2);
            assert_eq!(is_alike, kind != Corruption::Noise, "{name}");
        }
    }

    #[test]
    fn images_that_are_not_square_are_the_rest_of_a_square() {
        // A ring far from the border: rows of paper added below change nothing of what is damaged without a draw of a place or a
        // middle.
        let size = ImageSize {
            height: SIDE + 9,
            width: SIDE,
        };
        let taller = [ring(), vec![0.0; 9 * SIDE]].concat();
        for (name, kind) in Corruption::ALL {
            let mut rng = Seeds::all(1).rng(Stream::Augment, 0);
            let damaged = kind.apply(&taller, size, 2, &mut rng);
            assert_eq!(damaged.len(), taller.len(), "{name}");
            match kind {
                Corruption::Blur
                | Corruption::Shift
                | Corruption::Contrast
                | Corruption::Thickness
                | Corruption::Noise
                | Corruption::SaltAndPepper => {
                    assert_eq!(damaged[..SIDE * SIDE], apply(kind, 2), "{name}");
                }
                // Around another middle.
                Corruption::Rotation | Corruption::Scale => assert_ne!(damaged, taller, "{name}"),
                // A place of its own, and nothing but paper there.
                Corruption::Occlusion => {
                    let is_kept =
                        |(was, is): (&f32, &f32)| is.to_bits() == was.to_bits() || *is <= 0.0;
                    assert!(taller.iter().zip(&damaged).all(is_kept), "{name}");
                }
            }
        }
        // Wider than high, by the transposed image: what has no direction is the transposed result.
        let wide = ImageSize {
            height: 2,
            width: 3,
        };
        let (image, turned) = (
            [0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            [0.0, 0.6, 0.2, 0.8, 0.4, 1.0],
        );
        for kind in [Corruption::Blur, Corruption::Thickness] {
            let mut rng = Seeds::all(1).rng(Stream::Augment, 0);
            let of_wide = kind.apply(&image, wide, 5, &mut rng);
            let tall = ImageSize {
                height: 3,
                width: 2,
            };
            let of_tall = kind.apply(&turned, tall, 5, &mut rng);
            for (at, ink) in of_wide.iter().enumerate() {
                let (y, x) = (at / 3, at % 3);
                assert!((ink - of_tall[x * 2 + y]).abs() < 1e-6, "{kind:?}");
            }
        }
    }

    #[test]
    fn geometry_is_what_it_says() {
        // A quarter turn by resampling is the quarter turn of the sampler: rows become columns.
        let image: Vec<f32> = (0..9).map(|p| p as f32 / 10.0).collect();
        let turned = resampled(&image, 3.into(), |y, x| (x, 2.0 - y));
        for (pixel, ink) in turned.iter().enumerate() {
            let (y, x) = (pixel / 3, pixel % 3);
            assert!((ink - image[x * 3 + 2 - y]).abs() < 1e-6);
        }
        let moved = resampled(&image, 3.into(), |y, x| (y - 1.0, x));
        assert!(moved[..3].iter().all(|ink| *ink <= 0.0) && (moved[4] - image[1]).abs() < 1e-6);
    }

    #[test]
    fn blur_keeps_the_ink_and_thickness_adds_to_it() {
        let sum = |image: &[f32]| image.iter().sum::<f32>();
        let total = sum(&ring());
        assert!((sum(&apply(Corruption::Blur, 2)) / total - 1.0).abs() < 0.01);
        assert!(sum(&apply(Corruption::Thickness, 1)) > 1.1 * total);
        let hidden = sum(&apply(Corruption::Occlusion, 5));
        assert!(hidden < total);
    }
}
