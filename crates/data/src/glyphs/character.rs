//! Characters as short programs: which primitive, how turned, joined to what. A drawing is a run of the program.
//!
//! The same idea as the motor programs of Lake et al. 2015 (parts, relations, and noise on each when they are
//! drawn), with hand-made distributions in place of learnt ones.

use super::draw::{Draw, Part};
use super::geometry::{Linear, Point, Polyline, bounds, count, pt};
use super::render::render;
use super::style::Style;

/// One stroke of a character.
#[derive(Clone)]
struct Stroke {
    primitive: usize,
    /// Orientation within the character, without the size.
    turn: Linear,
    size: f64,
    join: Join,
}

/// How a stroke is tied to the ones before it.
#[derive(Clone, Copy)]
enum Join {
    /// Its middle lies at this displacement from the middle of `stroke`.
    Apart { stroke: usize, offset: Point },
    /// Its point at fraction `own` of its length lies on the point at `parent` of `stroke`.
    At {
        stroke: usize,
        parent: f64,
        own: f64,
    },
    /// It starts the character.
    First,
}

/// A character of an alphabet.
pub(crate) struct Character {
    strokes: Vec<Stroke>,
    /// From program coordinates to the frame's center, as every drawer means it.
    middle: Point,
    scale: Linear,
}

/// How one run of the program departs from its ideal, for each stroke; all zero gives the ideal.
#[derive(Clone, Default)]
pub(crate) struct StrokeNoise {
    /// Added to the turn, radians.
    pub(crate) angle: f64,
    /// Relative changes of the stroke's extent along its own axes.
    pub(crate) stretch: Point,
    /// Slides of the point of attachment along the parent and along itself, shares of their lengths.
    pub(crate) slide: (f64, f64),
    /// Displacement of the join, in units of a full stroke.
    pub(crate) miss: Point,
    /// Smooth displacement along the stroke: values at knots, in units of a full stroke.
    pub(crate) bend: [Point; N_KNOTS],
}

/// Knots of the smooth displacement of a stroke; few, so that it is of low frequency.
pub(crate) const N_KNOTS: usize = 5;

/// Most strokes of a character.
const MOST_STROKES: usize = 5;

/// Side of the small images on which characters are compared.
const PROOF_SIDE: usize = 16;
/// Least distance between blurred proofs of unit norm. The distance of unrelated ones is near 1.
const LEAST_DISTANCE: f64 = 0.36;
/// Proposals for a character; after them the one that is furthest from its neighbors is taken.
const N_ATTEMPTS: u32 = 40;

/// The first `n` characters of an alphabet, mutually distinct.
///
/// Character `c` depends on the ones before it (it must differ from them) and not on `n`.
pub(crate) fn characters(seed: u64, alphabet: u32, style: &Style, n: usize) -> Vec<Character> {
    let mut chosen: Vec<Character> = Vec::new();
    let mut proofs: Vec<Vec<f64>> = Vec::new();
    for character in (0_u32..).take(n) {
        let mut best: Option<(f64, Character, Vec<f64>)> = None;
        for attempt in 0..N_ATTEMPTS {
            let part = Part::Proposal {
                alphabet,
                character,
                attempt,
            };
            let proposal = Character::propose(style, &chosen, &mut Draw::new(seed, part));
            let proof = proposal.proof(style);
            let nearest = proofs
                .iter()
                .map(|other| distance(&proof, other))
                .fold(2.0, f64::min);
            if best.as_ref().is_none_or(|(least, ..)| nearest > *least) {
                best = Some((nearest, proposal, proof));
            }
            if nearest >= LEAST_DISTANCE {
                break;
            }
        }
        if let Some((_, proposal, proof)) = best {
            chosen.push(proposal);
            proofs.push(proof);
        }
    }
    chosen
}

impl Character {
    /// Draws a program in the style: a new one, or one akin to an earlier character.
    fn propose(style: &Style, earlier: &[Self], draw: &mut Draw) -> Self {
        let mut n_strokes = 1 + draw.weighted(&style.n_strokes);
        let mut strokes = Vec::new();
        if !earlier.is_empty() && draw.chance(style.kinship) {
            let relative = &earlier[draw.index(earlier.len())].strokes;
            let more = relative.len() < MOST_STROKES && (relative.len() == 1 || draw.chance(0.5));
            let n_kept = relative.len() - usize::from(!more);
            strokes.extend_from_slice(&relative[..n_kept]);
            n_strokes = n_kept + 1;
        }
        let mut character = Self {
            strokes,
            middle: Point::default(),
            scale: Linear::scale(1.0, 1.0),
        };
        for stroke_idx in character.strokes.len()..n_strokes {
            // Of a few ways to go on, take the most compact one that does not retrace what is there.
            let mut best: Option<(f64, Stroke)> = None;
            for _ in 0..5 {
                let stroke = propose_stroke(style, stroke_idx, n_strokes, draw);
                character.strokes.push(stroke);
                let cost = character.sprawl(style);
                let Some(stroke) = character.strokes.pop() else {
                    continue;
                };
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    best = Some((cost, stroke));
                }
            }
            character.strokes.extend(best.map(|(_, stroke)| stroke));
        }
        character.fit(style, draw);
        character
    }

    /// Chooses the map to the frame: the style's lean, aspect and size.
    fn fit(&mut self, style: &Style, draw: &mut Draw) {
        let lean = Linear::slant(style.slant);
        let strokes: Vec<Polyline> = self
            .run(style, &vec![StrokeNoise::default(); self.strokes.len()])
            .iter()
            .map(|s| s.map(|p| lean.apply(p)))
            .collect();
        let (low, high) = bounds(&strokes);
        let (width, height) = (high.x - low.x, high.y - low.y);
        // Half way (in the sense of the geometric mean) to the style's aspect; thin characters stay thin.
        let stretch = if width > 0.3 * height && height > 0.3 * width {
            (style.aspect * height / width)
                .sqrt()
                .clamp(0.7, 1.4)
                .sqrt()
        } else {
            1.0
        };
        let size = style.size * (1.0 + 0.10 * draw.bell());
        let larger = (width * stretch).max(height / stretch);
        // Simple characters (one short stroke) are not blown up to the size of busy ones.
        let factor = (size / larger).min(0.75);
        self.scale = lean.then(Linear::scale(factor * stretch, factor / stretch));
        self.middle = low.lerp(high, 0.5);
        // `middle` is in leaning coordinates; it is subtracted after the lean, before the scale.
        self.middle = Linear::scale(factor * stretch, factor / stretch).apply(self.middle);
    }

    /// Number of strokes.
    pub(crate) fn n_strokes(&self) -> usize {
        self.strokes.len()
    }

    /// The strokes in units of the frame, centered on the origin, with noise for each stroke.
    pub(crate) fn drawn(&self, style: &Style, noise: &[StrokeNoise]) -> Vec<Polyline> {
        let strokes = self.run(style, noise);
        strokes
            .iter()
            .map(|s| s.map(|p| self.scale.apply(p) - self.middle))
            .collect()
    }

    /// Runs the program: one polyline for each stroke, in units of a full stroke.
    fn run(&self, style: &Style, noise: &[StrokeNoise]) -> Vec<Polyline> {
        let mut drawn: Vec<Polyline> = Vec::with_capacity(self.strokes.len());
        for (stroke, noise) in self.strokes.iter().zip(noise) {
            let primitive = &style.primitives[stroke.primitive];
            let size = stroke.size * primitive.size;
            let map = Linear::scale(
                size * (1.0 + noise.stretch.x),
                size * (1.0 + noise.stretch.y),
            )
            .then(stroke.turn)
            .then(Linear::rotation(noise.angle));
            // Small strokes bend less; with the square root, because a hand's shake does not shrink with them.
            let give = size.sqrt();
            let n = count(primitive.shape.0.len() - 1);
            let shape = Polyline(
                primitive
                    .shape
                    .0
                    .iter()
                    .enumerate()
                    .map(|(idx, &p)| map.apply(p) + smooth(&noise.bend, count(idx) / n) * give)
                    .collect(),
            );
            let shift = match stroke.join {
                Join::First => Point::default(),
                Join::Apart { stroke, offset } => {
                    drawn[stroke].at(0.5) + offset - shape.at(0.5) + noise.miss
                }
                Join::At {
                    stroke,
                    parent,
                    own,
                } => {
                    drawn[stroke].at(parent + noise.slide.0) - shape.at(own + noise.slide.1)
                        + noise.miss
                }
            };
            drawn.push(shape.map(|p| p + shift));
        }
        drawn
    }

    /// How far the character spreads and how much its last stroke runs along earlier ones; lower is better.
    fn sprawl(&self, style: &Style) -> f64 {
        let drawn = self.run(style, &vec![StrokeNoise::default(); self.strokes.len()]);
        let (low, high) = bounds(&drawn);
        let spread = (high.x - low.x).max(high.y - low.y);
        let Some((last, before)) = drawn.split_last() else {
            return spread;
        };
        let retraced = last.0.iter().filter(|&&p| {
            before
                .iter()
                .flat_map(|s| &s.0)
                .any(|&q| (p - q).length() < 0.11)
        });
        0.7 * spread + 4.0 * (count(retraced.count()) / count(last.0.len()) - 0.25).max(0.0)
    }

    /// The ideal character, small, blurred and of unit norm: what two characters are compared by.
    fn proof(&self, style: &Style) -> Vec<f64> {
        let ideal = self.drawn(style, &vec![StrokeNoise::default(); self.strokes.len()]);
        let centered: Vec<Polyline> = ideal.iter().map(|s| s.map(|p| p + pt(0.5, 0.5))).collect();
        let mut pixels = vec![0; PROOF_SIDE * PROOF_SIDE];
        render(&centered, 1.5 / count(PROOF_SIDE), PROOF_SIDE, &mut pixels);
        let mut proof: Vec<f64> = pixels.into_iter().map(f64::from).collect();
        for _ in 0..2 {
            for stride in [1, PROOF_SIDE] {
                let before = proof.clone();
                for idx in stride..proof.len() - stride {
                    proof[idx] =
                        (before[idx - stride] + 2.0 * before[idx] + before[idx + stride]) / 4.0;
                }
            }
        }
        let norm = proof.iter().map(|v| v * v).sum::<f64>().sqrt();
        proof.iter().map(|v| v / norm).collect()
    }
}

/// Draws one stroke in the style, as number `stroke_idx` of `n_strokes`.
fn propose_stroke(style: &Style, stroke_idx: usize, n_strokes: usize, draw: &mut Draw) -> Stroke {
    let first = stroke_idx == 0;
    let signature = first && n_strokes > 1 && draw.chance(style.signature);
    let primitive = loop {
        let idx = if signature {
            0
        } else {
            draw.weighted(&style.popularity)
        };
        // A character does not start with a dot: there would be nothing to join to.
        let primitive = &style.primitives[idx];
        if !first || (primitive.size > 0.3 && (n_strokes > 1 || primitive.alone)) {
            break idx;
        }
    };
    let quarters = if !signature && draw.chance(style.turning.0) {
        draw.index(4)
    } else {
        0
    };
    let mirror = if !signature && draw.chance(style.turning.1) {
        -1.0
    } else {
        1.0
    };
    let tilt = if !signature && draw.chance(0.15) {
        draw.range(-0.8, 0.8)
    } else {
        0.06 * draw.bell()
    };
    let turn = Linear::scale(mirror, 1.0)
        .then(Linear::quarter_turns(u8::try_from(quarters).unwrap_or(0)))
        .then(Linear::rotation(tilt));
    let size = if first {
        1.0
    } else {
        [1.0, 0.7, 0.5][draw.weighted(&[1.0, 1.5, 1.0])]
    };
    let join = if first {
        Join::First
    } else {
        propose_join(style, primitive, draw.index(stroke_idx), draw)
    };
    Stroke {
        primitive,
        turn,
        size,
        join,
    }
}

/// Draws how a stroke is tied to `stroke`.
fn propose_join(style: &Style, primitive: usize, stroke: usize, draw: &mut Draw) -> Join {
    let end = |draw: &mut Draw| if draw.chance(0.5) { 0.0 } else { 1.0 };
    // Dots stand beside strokes, not on them.
    let kind = if style.primitives[primitive].size < 0.2 {
        3
    } else {
        draw.weighted(&style.joins)
    };
    match kind {
        0 => Join::At {
            stroke,
            parent: end(draw),
            own: end(draw),
        },
        1 => Join::At {
            stroke,
            parent: [0.33, 0.5, 0.67][draw.index(3)],
            own: end(draw),
        },
        2 => Join::At {
            stroke,
            parent: draw.range(0.3, 0.7),
            own: draw.range(0.3, 0.7),
        },
        _ => {
            let along = draw.range(-0.4, 0.4);
            let beside = draw.range(0.3, 0.5) * if draw.chance(0.5) { 1.0 } else { -1.0 };
            let offset = if draw.chance(0.6) {
                pt(beside, along)
            } else {
                pt(along, beside)
            };
            Join::Apart { stroke, offset }
        }
    }
}

/// The smooth curve through random knots at `t` in `[0, 1]`: a uniform quadratic B-spline, ends free.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the index range first"
)]
pub(crate) fn smooth(knots: &[Point], t: f64) -> Point {
    let last = knots.len() - 3;
    let position = t * count(knots.len() - 2);
    let idx = (position.max(0.0) as usize).min(last);
    let u = position - count(idx);
    let weights = [
        (1.0 - u) * (1.0 - u) / 2.0,
        0.5 + u * (1.0 - u),
        u * u / 2.0,
    ];
    knots[idx] * weights[0] + knots[idx + 1] * weights[1] + knots[idx + 2] * weights[2]
}

/// Euclidean distance.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y) * (x - y))
        .sum::<f64>()
        .sqrt()
}
