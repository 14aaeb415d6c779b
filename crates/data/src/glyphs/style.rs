//! The style of an alphabet: its stroke primitives and its habits of putting them together.

use super::draw::{Draw, Part};
use super::geometry::{Linear, Point, Polyline, bounds, count, pt};

/// What the characters of one alphabet have in common.
pub(crate) struct Style {
    /// The shared primitives, each of extent 1 around the origin.
    pub(crate) primitives: Vec<Primitive>,
    /// How often each primitive is taken; skewed, as letters' strokes are.
    pub(crate) popularity: Vec<f64>,
    /// Weights of 1, 2, 3, 4 and 5 strokes.
    pub(crate) n_strokes: [f64; 5],
    /// Weights of joining end to end, end to middle, crossing, and standing apart.
    pub(crate) joins: [f64; 4],
    /// How likely a stroke is turned by a quarter, and how likely it is mirrored.
    pub(crate) turning: (f64, f64),
    /// Lean of every character.
    pub(crate) slant: f64,
    /// Width over height that the characters tend to.
    pub(crate) aspect: f64,
    /// Larger side of a character, as a share of the frame.
    pub(crate) size: f64,
    /// Chance that a character starts with the first primitive upright (a common stem or head bar).
    pub(crate) signature: f64,
    /// Chance that a character is an earlier one with its last stroke replaced or one more added.
    pub(crate) kinship: f64,
}

/// A stroke shape that the characters of an alphabet share.
pub(crate) struct Primitive {
    pub(crate) shape: Polyline,
    /// Largest size relative to a full stroke; dots and small rings stay small.
    pub(crate) size: f64,
    /// Whether it can be a character by itself; a straight line says too little.
    pub(crate) alone: bool,
}

/// The kinds of primitives.
#[derive(Clone, Copy)]
enum Kind {
    Line,
    Arc,
    Hook,
    Cane,
    Wave,
    Corner,
    Zigzag,
    Ring,
    Loop,
    Bowl,
    Spiral,
    Dot,
}

/// Each kind with its weight in an angular and in a round alphabet.
const KINDS: [(Kind, f64, f64); 12] = [
    (Kind::Line, 5.0, 2.0),
    (Kind::Arc, 1.5, 3.0),
    (Kind::Hook, 1.5, 2.0),
    (Kind::Cane, 0.7, 2.0),
    (Kind::Wave, 0.5, 2.0),
    (Kind::Corner, 3.0, 0.5),
    (Kind::Zigzag, 1.5, 0.3),
    (Kind::Ring, 0.5, 1.5),
    (Kind::Loop, 0.2, 2.0),
    (Kind::Bowl, 1.0, 2.5),
    (Kind::Spiral, 0.1, 0.8),
    (Kind::Dot, 0.5, 0.5),
];

impl Style {
    /// The style of an alphabet under `seed`.
    pub(crate) fn new(seed: u64, alphabet: u32) -> Self {
        let draw = &mut Draw::new(seed, Part::Style { alphabet });
        let roundness = draw.unit();
        let weights = KINDS.map(|(_, angular, round)| angular + (round - angular) * roundness);
        // Two primitives that nearly every script has, then the ones that make this script.
        let mut primitives = vec![
            primitive(Kind::Line, draw),
            primitive(
                if draw.chance(roundness) {
                    Kind::Bowl
                } else {
                    Kind::Corner
                },
                draw,
            ),
        ];
        let n_more = 2 + draw.index(4);
        for _ in 0..n_more {
            let kind = KINDS[draw.weighted(&weights)].0;
            primitives.push(primitive(kind, draw));
        }
        let popularity = primitives.iter().map(|_| draw.range(0.1, 1.0)).collect();
        // Scripts differ in how busy their letters are: the center moves between two and three and a half strokes.
        let busy = draw.range(1.9, 3.6);
        let n_strokes = [1.0, 2.0, 3.0, 4.0, 5.0].map(|n: f64| {
            let gap = n - busy;
            1.0 / (1.0 + gap * gap * gap * gap)
        });
        Self {
            primitives,
            popularity,
            n_strokes,
            joins: [
                draw.range(0.5, 1.5),
                draw.range(0.3, 1.2),
                draw.range(0.1, 0.7),
                draw.range(0.05, 0.4),
            ],
            turning: (draw.range(0.1, 0.6), draw.range(0.1, 0.6)),
            slant: 0.12 * draw.bell(),
            aspect: 1.0 + 0.30 * draw.bell().clamp(-2.0, 2.0),
            size: draw.range(0.43, 0.69),
            kinship: draw.range(0.2, 0.7),
            signature: if draw.chance(0.4) {
                draw.range(0.3, 0.7)
            } else {
                0.0
            },
        }
    }
}

/// A primitive of `kind` with its own proportions, scaled to extent 1 and centered.
fn primitive(kind: Kind, draw: &mut Draw) -> Primitive {
    let path = match kind {
        Kind::Line => vec![pt(0.0, 0.0), pt(draw.range(-0.12, 0.12), 1.0)],
        Kind::Arc => {
            let bulge = draw.range(0.3, 0.9);
            cubic([pt(0.0, 0.0), pt(bulge, 0.15), pt(bulge, 0.85), pt(0.0, 1.0)])
        }
        // A stem that turns up at the foot, as in J or L with a round corner.
        Kind::Hook => {
            let (reach, rise) = (draw.range(0.25, 0.7), draw.range(0.0, 0.35));
            let foot = cubic([
                pt(0.0, 0.65),
                pt(0.0, 1.05),
                pt(reach, 1.1),
                pt(reach, 1.0 - rise),
            ]);
            chain(&[vec![pt(0.0, 0.0), pt(0.0, 0.65)], foot])
        }
        // A bent top on a stem, as in a walking cane or the letter f.
        Kind::Cane => {
            let reach = draw.range(0.4, 0.8);
            let top = cubic([
                pt(reach, draw.range(0.1, 0.35)),
                pt(reach, -0.1),
                pt(0.0, -0.15),
                pt(0.0, 0.4),
            ]);
            chain(&[top, vec![pt(0.0, 0.4), pt(draw.range(-0.1, 0.1), 1.0)]])
        }
        Kind::Wave => {
            let swing = draw.range(0.35, 0.75);
            let middle = pt(0.5 * swing, 0.5);
            chain(&[
                cubic([pt(swing, 0.0), pt(-0.1, -0.05), pt(-0.15, 0.35), middle]),
                cubic([
                    middle,
                    pt(1.15 * swing, 0.65),
                    pt(1.1 * swing, 1.05),
                    pt(0.0, 1.0),
                ]),
            ])
        }
        Kind::Corner => {
            let bend = pt(draw.range(-0.2, 0.2), draw.range(0.75, 1.0));
            vec![
                pt(0.0, 0.0),
                bend,
                pt(draw.range(0.45, 0.9), draw.range(0.5, 1.05)),
            ]
        }
        Kind::Zigzag => {
            let width = draw.range(0.45, 0.8);
            let mut path = vec![
                pt(0.0, 0.0),
                pt(width, draw.range(0.1, 0.35)),
                pt(draw.range(0.0, 0.2), draw.range(0.5, 0.7)),
                pt(width, 1.0),
            ];
            if draw.chance(0.35) {
                path.push(pt(0.0, 1.25));
            }
            path
        }
        Kind::Ring => ellipse(draw.range(0.6, 1.0), draw.range(-0.06, 0.06)),
        // A stem that crosses itself in a small eye.
        Kind::Loop => {
            let (width, end) = (draw.range(0.5, 0.9), draw.range(0.3, 1.0));
            cubic([
                pt(-0.4 * end, 1.0),
                pt(width * 1.5, -0.35),
                pt(-width * 1.5, -0.35),
                pt(0.5 * end, draw.range(0.8, 1.05)),
            ])
        }
        Kind::Bowl => {
            let (depth, lift) = (draw.range(0.7, 1.4), draw.range(-0.15, 0.25));
            cubic([
                pt(0.0, 0.0),
                pt(0.02, depth),
                pt(0.98, depth),
                pt(1.0, lift),
            ])
        }
        Kind::Spiral => {
            let inner = draw.range(0.25, 0.45);
            chain(&[
                cubic([pt(0.0, 0.5), pt(0.0, -0.15), pt(1.0, -0.15), pt(1.0, 0.5)]),
                cubic([pt(1.0, 0.5), pt(1.0, 1.1), pt(inner, 1.1), pt(inner, 0.6)]),
                cubic([pt(inner, 0.6), pt(inner, 0.3), pt(0.7, 0.3), pt(0.7, 0.55)]),
            ])
        }
        Kind::Dot => ellipse(1.0, 0.0),
    };
    let size = match kind {
        Kind::Dot => draw.range(0.06, 0.12),
        Kind::Ring => draw.range(0.35, 0.8),
        _ => 1.0,
    };
    Primitive {
        shape: unit_extent(&Polyline::resampled(&path)),
        size,
        alone: !matches!(kind, Kind::Line | Kind::Dot),
    }
}

/// Points along a cubic Bézier curve.
fn cubic([a, b, c, d]: [Point; 4]) -> Vec<Point> {
    const STEPS: usize = 16;
    (0..=STEPS)
        .map(|k| {
            let t = count(k) / count(STEPS);
            let (ab, bc, cd) = (a.lerp(b, t), b.lerp(c, t), c.lerp(d, t));
            ab.lerp(bc, t).lerp(bc.lerp(cd, t), t)
        })
        .collect()
}

/// Pieces that end where the next one starts, as one path.
fn chain(pieces: &[Vec<Point>]) -> Vec<Point> {
    let mut path = vec![pieces[0][0]];
    for piece in pieces {
        path.extend_from_slice(&piece[1..]);
    }
    path
}

/// An ellipse of height 1 from four cubics, begun at the top; `gap` leaves its end open or lets it overlap.
fn ellipse(width: f64, gap: f64) -> Vec<Point> {
    /// Handle length of the cubic that is nearest to a quarter circle, `4 (sqrt 2 - 1) / 3`.
    const HANDLE: f64 = 0.552_284_75;
    let quarter = cubic([
        pt(0.0, -0.5),
        pt(-0.5 * HANDLE, -0.5),
        pt(-0.5, -0.5 * HANDLE),
        pt(-0.5, 0.0),
    ]);
    let pieces: Vec<Vec<Point>> = (0..4)
        .map(|k| {
            // Clockwise on the page would be positive turns; handwriting mostly goes the other way.
            let turn = Linear::quarter_turns((4 - k) % 4);
            quarter.iter().map(|&p| turn.apply(p)).collect()
        })
        .collect();
    let mut path: Vec<Point> = chain(&pieces)
        .into_iter()
        .map(|p| pt(p.x * width, p.y))
        .collect();
    if let Some(last) = path.last_mut() {
        *last = *last + pt(gap, gap.abs());
    }
    path
}

/// Centered on the origin, larger side of its box 1.
fn unit_extent(shape: &Polyline) -> Polyline {
    let (low, high) = bounds(std::slice::from_ref(shape));
    let middle = low.lerp(high, 0.5);
    let extent = (high.x - low.x).max(high.y - low.y);
    shape.map(|p| (p - middle) * (1.0 / extent))
}
