//! Scores as they are written: shares in percent, others as they are.

use crate::estimate::{Estimate, Interval};
use crate::findings;
use crate::options::Options;
use crate::scale::ScoreScale;

/// How scores are written: shares in percent, others as they are.
#[derive(Clone, Copy)]
pub(crate) struct Words<'o> {
    scale: Option<&'o ScoreScale>,
}

impl<'o> Words<'o> {
    pub(crate) fn of(options: &'o Options) -> Self {
        Self {
            scale: options.scale.as_ref(),
        }
    }

    /// Whether scores are shares between 0 and 1.
    pub(crate) fn are_shares(self) -> bool {
        self.scale.is_none()
    }

    /// `accuracy`, or what the score is called.
    pub(crate) fn noun(self) -> &'o str {
        self.scale.map_or("accuracy", |scale| &scale.name)
    }

    /// `higher`, for the better of two scores.
    pub(crate) fn higher(self) -> &'static str {
        if self.sign() > 0.0 { "higher" } else { "lower" }
    }

    /// `highest`, for the best of several.
    pub(crate) fn highest(self) -> &'static str {
        if self.sign() > 0.0 {
            "highest"
        } else {
            "lowest"
        }
    }

    /// `under`, on the worse side of a score.
    pub(crate) fn under(self) -> &'static str {
        if self.sign() > 0.0 { "under" } else { "over" }
    }

    /// Between two learners whose difference follows, `a minus b is 1.07 pp`: differences are positive where the first is better. Where
    /// less is better the difference of the scores as they were given has the other sign: `a's advantage over b is 0.031`.
    pub(crate) fn minus(self) -> &'static str {
        if self.sign() > 0.0 {
            " minus "
        } else {
            "'s advantage over "
        }
    }

    fn sign(self) -> f64 {
        match self.scale {
            Some(scale) if scale.lower_is_better => -1.0,
            Some(_) | None => 1.0,
        }
    }

    /// What a score is multiplied by in a figure.
    pub(crate) fn factor(self) -> f64 {
        match self.scale {
            None => 100.0,
            Some(_) => self.sign(),
        }
    }

    /// What a difference or a spread is multiplied by in a figure: differences keep "better" on the right.
    pub(crate) fn difference_factor(self) -> f64 {
        if self.are_shares() { 100.0 } else { 1.0 }
    }

    /// The bounds of a figure's axis for scores.
    pub(crate) fn bounds(self) -> [f64; 2] {
        match self.scale {
            None => [0.0, 100.0],
            Some(_) => [f64::NEG_INFINITY, f64::INFINITY],
        }
    }

    /// ` nats`, or nothing: behind a loss.
    pub(crate) fn loss_unit(self) -> &'static str {
        if self.are_shares() { " nats" } else { "" }
    }

    /// ` %`, or nothing: behind a score.
    pub(crate) fn unit(self) -> &'static str {
        if self.are_shares() { " %" } else { "" }
    }

    /// ` pp`, or nothing: behind a difference or a spread.
    pub(crate) fn points_unit(self) -> &'static str {
        if self.are_shares() { " pp" } else { "" }
    }

    /// A fixed text of the report about accuracies, in the words of this scale.
    pub(crate) fn text(self, text: &str) -> String {
        if self.are_shares() {
            return text.to_owned();
        }
        text.replace(", in % and pp", "")
            .replace(", %", "")
            .replace(", pp", "")
            .replace(", in %", "")
            .replace(", nats per query", "")
            .replace(", nats", "")
            .replace(" in nats", "")
            .replace("Accuracy", &capital(self.noun()))
            .replace("accuracy", self.noun())
            .replace("accuracies", &format!("{} values", self.noun()))
    }

    /// A score in a sentence: `97.85 %`.
    pub(crate) fn value(self, score: f64) -> String {
        match self.scale {
            None => findings::percent(score),
            Some(_) => short(self.sign() * score),
        }
    }

    /// A difference or a spread in a sentence: `1.07 pp`.
    pub(crate) fn points(self, difference: f64) -> String {
        match self.scale {
            None => findings::points(difference),
            Some(_) => short(difference),
        }
    }

    /// Both ends of an interval in sentences, the smaller first as it is written.
    pub(crate) fn ends(self, interval: &Interval) -> [String; 2] {
        let ends = [self.value(interval.lower), self.value(interval.upper)];
        if self.sign() > 0.0 {
            ends
        } else {
            let [low, high] = ends;
            [high, low]
        }
    }

    /// A score in a table, without its unit: `97.85`.
    pub(crate) fn bare(self, score: f64) -> String {
        match self.scale {
            None => percent(score),
            Some(_) => short(self.sign() * score),
        }
    }

    /// An interval of a score in a table: `[96.10, 98.02]`.
    pub(crate) fn bare_range(self, interval: &Interval) -> String {
        let mut ends = [self.bare(interval.lower), self.bare(interval.upper)];
        if self.sign() < 0.0 {
            ends.reverse();
        }
        format!("[{}]", ends.join(", "))
    }

    /// A difference or a spread in a table, without its unit: `1.07`.
    pub(crate) fn bare_points(self, difference: f64) -> String {
        match self.scale {
            None => percent(difference),
            Some(_) => short(difference),
        }
    }

    /// An interval of it: `[0.42, 4.20]`.
    pub(crate) fn bare_points_range(self, interval: &Interval) -> String {
        format!(
            "[{}, {}]",
            self.bare_points(interval.lower),
            self.bare_points(interval.upper)
        )
    }

    /// A difference or a spread with its interval in a table: `1.07 [0.42, 4.20]`.
    pub(crate) fn bare_points_with(self, estimate: &Estimate) -> String {
        self.bare_points(estimate.value) + &self.behind(estimate)
    }

    /// The same with its unit: `1.07 pp [0.42, 4.20]`.
    pub(crate) fn points_with(self, estimate: &Estimate) -> String {
        self.bare_points(estimate.value) + self.points_unit() + &self.behind(estimate)
    }

    /// The interval behind a difference or a spread, if there is one.
    fn behind(self, estimate: &Estimate) -> String {
        let interval = estimate.interval.as_ref();
        interval.map_or_else(String::new, |it| format!(" {}", self.bare_points_range(it)))
    }
}

/// The same with a capital letter at its start.
fn capital(noun: &str) -> String {
    let mut letters = noun.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// A number with `decimals` digits after the point, a true minus sign, and commas between thousands.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let plain = format!("{:.*}", decimals, value.abs());
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut out = String::new();
    // "-0.0" would claim a sign that the shown digits do not carry.
    if value < 0.0 && plain.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        out.push('−');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && whole.len() >= 5 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

/// A share in percent, two decimals, without the sign, as in the tables of the report: `97.85`.
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() {
        number(100.0 * share, 2)
    } else {
        "none".to_owned()
    }
}

/// A number of any size with three or four digits that matter.
fn short(value: f64) -> String {
    if !value.is_finite() {
        return "none".to_owned();
    }
    let decimals = match value.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        size if size >= 0.01 => 4,
        0.0 => 0,
        size if size >= 1e-6 => (2.0 - size.log10().floor()) as usize,
        _ => return format!("{value:.2e}"),
    };
    number(value, decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(lower_is_better: bool) -> Options {
        Options {
            scale: Some(ScoreScale {
                name: "loss".to_owned(),
                lower_is_better,
            }),
            ..Options::default()
        }
    }

    #[test]
    fn shares_are_written_as_ever_and_others_as_they_are() {
        let shares = Options::default();
        let words = Words::of(&shares);
        assert_eq!(words.value(0.9785), "97.85 %");
        assert_eq!(words.points(0.0107), "1.07 pp");
        assert_eq!(words.text("accuracy, % [seed CI]"), "accuracy, % [seed CI]");
        let returns = options(false);
        let words = Words::of(&returns);
        assert_eq!(words.value(-98.56), "−98.56");
        assert_eq!(words.value(4080.13), "4080");
        assert_eq!(words.bare_points(0.0312), "0.0312");
        assert_eq!(words.text("accuracy, % [seed CI]"), "loss [seed CI]");
    }

    #[test]
    fn a_turned_sign_is_turned_back_in_values_and_not_in_spreads() {
        let losses = options(true);
        let words = Words::of(&losses);
        let interval = Interval::around(-0.5, 0.25, 0.95, "test");
        assert_eq!(words.value(-0.5), "0.500");
        assert_eq!(words.bare_range(&interval), "[0.250, 0.750]");
        assert_eq!(words.points(0.25), "0.250");
        assert_eq!((words.higher(), words.highest()), ("lower", "lowest"));
        assert_eq!(
            format!("a{}b is 0.031", words.minus()),
            "a's advantage over b is 0.031"
        );
        assert_eq!(words.text("accuracies of runs"), "loss values of runs");
    }
}
