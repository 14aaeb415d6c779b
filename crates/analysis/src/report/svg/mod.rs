//! A small drawing layer: numbers in, accessible SVG out.
//!
//! Colors, dashes and fonts are CSS classes, so that one drawing serves light, dark and print; the page's style sheet
//! gives them meaning. Color never carries meaning alone: each series has a dash and a marker of its own as well.
//! Start at [`panel`]; [`rows`] puts named rows under one axis, [`matrix`] draws a square table.
//!
//! Not here: statistics, and anything that knows what a learner is.

pub(crate) mod matrix;
pub(crate) mod panel;
pub(crate) mod rows;
pub(crate) mod scale;
pub(crate) mod series;
pub(crate) mod size;
pub(crate) mod text;

pub(crate) use matrix::matrix;
pub(crate) use panel::{Axis, Panel, heading};
pub(crate) use rows::Rows;
pub(crate) use scale::Extent;
pub(crate) use series::Series;
pub(crate) use size::WIDTH;
