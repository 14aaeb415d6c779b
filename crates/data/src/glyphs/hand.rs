//! Drawers: a habit that is the same for every character, and chance that is new in every drawing.

use super::character::{Character, N_KNOTS, StrokeNoise, smooth};
use super::draw::{Draw, Part};
use super::geometry::{Linear, Point, Polyline, bounds, count, pt};
use super::style::Style;

/// The habits of one drawer, already scaled by the spread: at spread 0 every hand is the ideal one.
pub(crate) struct Hand {
    /// Slant, tilt, size and aspect, as one map about the character's middle.
    habit: Linear,
    /// Where on the frame this drawer draws.
    place: Point,
    /// Pen width relative to the data set's.
    pub(crate) pen: f64,
    /// How careless: multiplies the chance part of every drawing.
    carelessness: f64,
    /// How far corners are rounded off, 0 to 1.
    rounding: f64,
    /// Mean overshoot of stroke ends, a share of the stroke's length.
    overshoot: f64,
    spread: f64,
}

impl Hand {
    /// The hand of a drawer under `seed`.
    pub(crate) fn new(seed: u64, drawer: u32, spread: f64) -> Self {
        let draw = &mut Draw::new(seed, Part::Hand { drawer });
        let size = positive(1.0 + 0.10 * spread * draw.bell());
        let aspect = positive(1.0 + 0.05 * spread * draw.bell());
        Self {
            habit: Linear::slant(0.10 * spread * draw.bell())
                .then(Linear::scale(size * aspect, size / aspect))
                .then(Linear::rotation(bounded(0.04 * spread * draw.bell()))),
            place: pt(0.025 * spread * draw.bell(), 0.025 * spread * draw.bell()),
            pen: positive(1.0 + 0.05 * spread * draw.bell()),
            carelessness: draw.range(0.7, 1.3),
            rounding: (0.5 * spread * draw.unit()).min(1.0),
            overshoot: 0.02 * spread * draw.bell(),
            spread,
        }
    }

    /// One drawing of a character, in units of the frame. `draw` is the generator of this drawing.
    ///
    /// Every draw is made whatever the spread, and only then scaled by it: the same drawing grows wilder.
    pub(crate) fn draw(
        &self,
        character: &Character,
        style: &Style,
        draw: &mut Draw,
    ) -> Vec<Polyline> {
        let loose = self.spread * self.carelessness;
        let noise: Vec<StrokeNoise> = (0..character.n_strokes())
            .map(|_| stroke_noise(loose, draw))
            .collect();
        let size = positive(1.0 + 0.06 * loose * draw.bell());
        let aspect = positive(1.0 + 0.05 * loose * draw.bell());
        let map = Linear::slant(0.06 * loose * draw.bell())
            .then(Linear::scale(size * aspect, size / aspect))
            .then(Linear::rotation(bounded(0.05 * loose * draw.bell())))
            .then(self.habit);
        let place = self.place
            + pt(
                0.5 + 0.035 * loose * draw.bell(),
                0.5 + 0.035 * loose * draw.bell(),
            );
        let strokes: Vec<Polyline> = character
            .drawn(style, &noise)
            .iter()
            .map(|stroke| {
                let stroke = stroke.map(|p| map.apply(p) + place);
                self.pen_path(&stroke, loose, draw)
            })
            .collect();
        keep_inside(&strokes)
    }

    /// What the pen makes of a stroke: ends over- or undershot, corners rounded, a slight shake.
    fn pen_path(&self, stroke: &Polyline, loose: f64, draw: &mut Draw) -> Polyline {
        const N_SHAKES: usize = 9;
        let (start, end) = (
            bounded(self.overshoot + 0.03 * loose * draw.bell()),
            bounded(self.overshoot + 0.03 * loose * draw.bell()),
        );
        let shakes: [Point; N_SHAKES] =
            std::array::from_fn(|_| pt(draw.bell(), draw.bell()) * (0.007 * loose));
        let n = stroke.0.len();
        let path: Vec<Point> = (0..n)
            .map(|idx| {
                let t = count(idx) / count(n - 1);
                stroke.at(t * (1.0 + start + end) - start) + smooth(&shakes, t)
            })
            .collect();
        let rounded = (0..n)
            .map(|idx| {
                // The window shrinks towards the ends, which stay where they are.
                let half = idx.min(n - 1 - idx).min(2);
                let window = &path[idx - half..=idx + half];
                let sum = window.iter().fold(Point::default(), |sum, &p| sum + p);
                path[idx].lerp(sum * (1.0 / count(window.len())), self.rounding)
            })
            .collect();
        Polyline(rounded)
    }
}

/// The chance part of one stroke.
fn stroke_noise(loose: f64, draw: &mut Draw) -> StrokeNoise {
    let mut bell = |scale: f64| scale * loose * draw.bell();
    StrokeNoise {
        angle: bounded(bell(0.07)),
        stretch: pt(
            positive(1.0 + bell(0.08)) - 1.0,
            positive(1.0 + bell(0.08)) - 1.0,
        ),
        slide: (bell(0.06), bell(0.05)),
        miss: pt(bell(0.04), bell(0.04)),
        bend: [(); N_KNOTS].map(|()| pt(bell(0.06), bell(0.06))),
    }
}

/// Moved, and shrunk if it must be, to lie within the frame with a small margin.
fn keep_inside(strokes: &[Polyline]) -> Vec<Polyline> {
    const MARGIN: f64 = 0.05;
    let room = 1.0 - 2.0 * MARGIN;
    let (low, high) = bounds(strokes);
    let shrink = (room / (high.x - low.x).max(high.y - low.y)).min(1.0);
    let middle = low.lerp(high, 0.5);
    let half = (high - low) * (0.5 * shrink);
    let target = pt(
        middle.x.clamp(
            MARGIN + half.x,
            (1.0 - MARGIN - half.x).max(MARGIN + half.x),
        ),
        middle.y.clamp(
            MARGIN + half.y,
            (1.0 - MARGIN - half.y).max(MARGIN + half.y),
        ),
    );
    strokes
        .iter()
        .map(|s| s.map(|p| (p - middle) * shrink + target))
        .collect()
}

/// A factor kept from vanishing or turning negative at large spreads.
fn positive(factor: f64) -> f64 {
    factor.clamp(0.4, 2.0)
}

/// An angle or share kept where the maps are meant for it.
fn bounded(x: f64) -> f64 {
    x.clamp(-0.9, 0.9)
}
