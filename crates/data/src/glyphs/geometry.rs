//! Points, affine maps and polylines. Nothing here calls a transcendental function, so nothing depends on libm:
//! `+ - * /` and `sqrt` are exactly rounded everywhere.

/// A point or a displacement; x to the right, y down.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// Shorthand for a [`Point`].
pub(crate) const fn pt(x: f64, y: f64) -> Point {
    Point { x, y }
}

impl std::ops::Add for Point {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        pt(self.x + other.x, self.y + other.y)
    }
}

impl std::ops::Sub for Point {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        pt(self.x - other.x, self.y - other.y)
    }
}

impl std::ops::Mul<f64> for Point {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        pt(self.x * factor, self.y * factor)
    }
}

impl Point {
    /// Straight-line blend: `self` at 0, `other` at 1.
    pub(crate) fn lerp(self, other: Self, t: f64) -> Self {
        self + (other - self) * t
    }

    /// Euclidean length.
    pub(crate) fn length(self) -> f64 {
        (self.x * self.x + self.y * self.y).sqrt()
    }
}

/// A linear map of the plane, `[[xx, xy], [yx, yy]]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear {
    xx: f64,
    xy: f64,
    yx: f64,
    yy: f64,
}

impl Linear {
    /// Scales the axes.
    pub(crate) const fn scale(x: f64, y: f64) -> Self {
        Self {
            xx: x,
            xy: 0.0,
            yx: 0.0,
            yy: y,
        }
    }

    /// Leans verticals to the right by `slant` (the tangent of the angle).
    pub(crate) const fn slant(slant: f64) -> Self {
        Self {
            xx: 1.0,
            xy: -slant,
            yx: 0.0,
            yy: 1.0,
        }
    }

    /// A rotation by about `angle` radians, for `|angle|` up to a quarter turn.
    ///
    /// With `t = tan(angle / 2)`, `cos = (1 - t^2) / (1 + t^2)` and `sin = 2 t / (1 + t^2)`, which is orthogonal
    /// whatever `t`; the tangent is the Padé form `x (15 - x^2) / (15 - 6 x^2)`, within 0.1 degree of the angle.
    pub(crate) fn rotation(angle: f64) -> Self {
        let x = angle / 2.0;
        let t = x * (15.0 - x * x) / (15.0 - 6.0 * x * x);
        let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        Self {
            xx: cos,
            xy: -sin,
            yx: sin,
            yy: cos,
        }
    }

    /// `quarters` exact quarter turns.
    pub(crate) const fn quarter_turns(quarters: u8) -> Self {
        let (xx, xy, yx, yy) = match quarters % 4 {
            0 => (1.0, 0.0, 0.0, 1.0),
            1 => (0.0, -1.0, 1.0, 0.0),
            2 => (-1.0, 0.0, 0.0, -1.0),
            _ => (0.0, 1.0, -1.0, 0.0),
        };
        Self { xx, xy, yx, yy }
    }

    /// First `self`, then `next`.
    pub(crate) fn then(self, next: Self) -> Self {
        Self {
            xx: next.xx * self.xx + next.xy * self.yx,
            xy: next.xx * self.xy + next.xy * self.yy,
            yx: next.yx * self.xx + next.yy * self.yx,
            yy: next.yx * self.xy + next.yy * self.yy,
        }
    }

    /// The image of a point.
    pub(crate) fn apply(&self, p: Point) -> Point {
        pt(self.xx * p.x + self.xy * p.y, self.yx * p.x + self.yy * p.y)
    }
}

/// Samples of every stroke; enough for the tightest loop at 28x28.
pub(crate) const N_SAMPLES: usize = 25;

/// A stroke as points at equal steps of its length.
#[derive(Clone, Debug)]
pub(crate) struct Polyline(pub(crate) Vec<Point>);

impl Polyline {
    /// `N_SAMPLES` points at equal steps of arc length along `path` (at least two points, not all equal).
    pub(crate) fn resampled(path: &[Point]) -> Self {
        let total: f64 = path.windows(2).map(|w| (w[1] - w[0]).length()).sum();
        let step = total / count(N_SAMPLES - 1);
        let mut samples = Vec::with_capacity(N_SAMPLES);
        samples.push(path[0]);
        let (mut segment, mut before) = (0, 0.0);
        for k in 1..N_SAMPLES - 1 {
            let target = step * count(k);
            loop {
                let length = (path[segment + 1] - path[segment]).length();
                if before + length >= target && length > 0.0 {
                    let t = (target - before) / length;
                    samples.push(path[segment].lerp(path[segment + 1], t));
                    break;
                }
                if segment + 2 == path.len() {
                    samples.push(path[segment + 1]);
                    break;
                }
                before += length;
                segment += 1;
            }
        }
        samples.push(path[path.len() - 1]);
        Self(samples)
    }

    /// The point at fraction `t` of the length; outside `[0, 1]` the end segments go on straight.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the index range first"
    )]
    pub(crate) fn at(&self, t: f64) -> Point {
        let last = self.0.len() - 2;
        let position = t * count(self.0.len() - 1);
        let idx = (position.max(0.0) as usize).min(last);
        self.0[idx].lerp(self.0[idx + 1], position - count(idx))
    }

    /// Every point mapped.
    pub(crate) fn map(&self, f: impl Fn(Point) -> Point) -> Self {
        Self(self.0.iter().map(|&p| f(p)).collect())
    }
}

/// Least and greatest corner of the box around some strokes.
pub(crate) fn bounds(strokes: &[Polyline]) -> (Point, Point) {
    let mut low = pt(f64::INFINITY, f64::INFINITY);
    let mut high = pt(f64::NEG_INFINITY, f64::NEG_INFINITY);
    for p in strokes.iter().flat_map(|s| &s.0) {
        low = pt(low.x.min(p.x), low.y.min(p.y));
        high = pt(high.x.max(p.x), high.y.max(p.y));
    }
    (low, high)
}

/// A small count as a float.
#[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(crate) fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the standard library's sine and cosine, which the crate itself does not call.
    #[test]
    fn rotations_turn_by_their_angle_and_keep_lengths() {
        for step in -9..=9 {
            let angle = 0.1 * f64::from(step);
            let p = Linear::rotation(angle).apply(pt(1.0, 0.0));
            assert!((p.length() - 1.0).abs() < 1e-14, "{angle}");
            assert!((p.x - angle.cos()).abs() < 1e-3, "{angle}");
            assert!((p.y - angle.sin()).abs() < 1e-3, "{angle}");
        }
    }

    #[test]
    fn resampling_steps_evenly_and_keeps_the_ends() {
        let path = [pt(0.0, 0.0), pt(0.0, 1.0), pt(0.0, 1.0), pt(3.0, 1.0)];
        let line = Polyline::resampled(&path);
        assert_eq!(line.0.len(), N_SAMPLES);
        assert_eq!((line.at(0.0), line.at(1.0)), (path[0], path[3]));
        // A quarter of the length of 4 is the corner.
        assert!((line.at(0.25) - pt(0.0, 1.0)).length() < 1e-12);
        assert!((line.at(0.5) - pt(1.0, 1.0)).length() < 1e-12);
        // Beyond the ends the stroke goes on straight.
        assert!((line.at(1.25) - pt(4.0, 1.0)).length() < 1e-12);
        assert!((line.at(-0.25) - pt(0.0, -1.0)).length() < 1e-12);
    }
}
