//! How a split is written down: `lake`, `random:60,20,20`, ...

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::DataError;

/// Which classes go where. Written as text in studies and on the command line, see [`FromStr`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SplitRule {
    /// Omniglot's background set for training, but for its last five alphabets in byte order (validation), and its
    /// evaluation set for test: 813 / 151 / 659 characters (Lake et al. 2015).
    Lake,
    /// Omniglot's 1,028 / 172 / 423 characters (Vinyals et al. 2016, lists of Snell et al. 2017).
    Vinyals,
    /// Omniglot's 25 / 5 / 20 whole alphabets (Meta-Dataset, Triantafillou et al. 2020): 883 / 81 / 659 characters.
    Alphabets,
    /// As the folders `train`, `val`, `test` of an image folder say.
    Folders,
    /// As the data tell: [`Self::Folders`] where every class is below a part, else `random-alphabets` where there are
    /// [`LEAST_ALPHABETS`] alphabets, else `random`.
    Auto,
    /// By chance, from the `split` stream. With counts, units may be left over: they are in no part.
    Random {
        /// What is kept together.
        unit: Unit,
        /// How much goes where.
        amounts: Amounts,
    },
}

/// From so many alphabets on, each part gets some.
pub const LEAST_ALPHABETS: usize = 10;

/// What a random split moves about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Single classes.
    Class,
    /// Whole alphabets.
    Alphabet,
}

impl Unit {
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Class => "classes",
            Self::Alphabet => "alphabets",
        }
    }
}

/// How much goes to training, validation and test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amounts {
    /// Numbers of units.
    Counts([usize; 3]),
    /// Shares of the units, with sum 1; rounded to the nearest count, the rest to test.
    Shares([f64; 3]),
}

impl Amounts {
    /// What `random` means without numbers: the shares of miniImageNet (64 / 16 / 20 of 100 classes).
    pub const DEFAULT: Self = Self::Shares([0.64, 0.16, 0.2]);
}

impl fmt::Display for SplitRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, amounts) = match self {
            Self::Lake => return f.write_str("lake"),
            Self::Vinyals => return f.write_str("vinyals"),
            Self::Alphabets => return f.write_str("alphabets"),
            Self::Folders => return f.write_str("folders"),
            Self::Auto => return f.write_str("auto"),
            Self::Random { unit, amounts } => (unit, amounts),
        };
        f.write_str(match unit {
            Unit::Class => "random",
            Unit::Alphabet => "random-alphabets",
        })?;
        match amounts {
            Amounts::Counts([a, b, c]) => write!(f, ":{a},{b},{c}"),
            // `{:?}` keeps the point of `1.0`, so that shares stay shares when read back.
            Amounts::Shares([a, b, c]) => write!(f, ":{a:?},{b:?},{c:?}"),
        }
    }
}

impl FromStr for SplitRule {
    type Err = DataError;

    /// `lake`, `vinyals`, `alphabets`, `folders`, `auto`, `random` and `random-alphabets`; the last two optionally with
    /// three counts (`random:60,20,20`) or three shares (`random:0.64,0.16,0.2`, which is the default).
    fn from_str(text: &str) -> Result<Self, DataError> {
        let (name, amounts) = text
            .split_once(':')
            .map_or((text, None), |(n, a)| (n, Some(a)));
        let unit = match name {
            "random" => Unit::Class,
            "random-alphabets" => Unit::Alphabet,
            _ => return fixed(name, amounts, text),
        };
        let amounts = match amounts {
            None => Amounts::DEFAULT,
            Some(amounts) => parse_amounts(amounts).ok_or_else(|| DataError::Invalid {
                setting: "split",
                value: text.into(),
                problem: "not three counts or three shares".into(),
                next_step: format!("write `{name}:60,20,20` or `{name}:0.64,0.16,0.2`"),
            })?,
        };
        Ok(Self::Random { unit, amounts })
    }
}

fn fixed(name: &str, amounts: Option<&str>, text: &str) -> Result<SplitRule, DataError> {
    let rule = match name {
        "lake" => SplitRule::Lake,
        "vinyals" => SplitRule::Vinyals,
        "alphabets" => SplitRule::Alphabets,
        "folders" => SplitRule::Folders,
        "auto" => SplitRule::Auto,
        _ => {
            return Err(DataError::unknown_name(
                "split",
                name,
                &[
                    "lake",
                    "vinyals",
                    "alphabets",
                    "folders",
                    "auto",
                    "random",
                    "random-alphabets",
                ],
            ));
        }
    };
    if amounts.is_some() {
        return Err(DataError::Invalid {
            setting: "split",
            value: text.into(),
            problem: format!("`{name}` is a fixed list and takes no numbers"),
            next_step: format!("write `{name}`, or `random:...` for a split by chance"),
        });
    }
    Ok(rule)
}

fn parse_amounts(text: &str) -> Option<Amounts> {
    fn three<T: FromStr>(text: &str) -> Option<[T; 3]> {
        let numbers: Result<Vec<T>, _> = text
            .split(',')
            .map(|number| number.trim().parse())
            .collect();
        numbers.ok()?.try_into().ok()
    }
    three(text)
        .map(Amounts::Counts)
        .or_else(|| three(text).map(Amounts::Shares))
}

impl TryFrom<String> for SplitRule {
    type Error = DataError;

    fn try_from(text: String) -> Result<Self, DataError> {
        text.parse()
    }
}

impl From<SplitRule> for String {
    fn from(rule: SplitRule) -> Self {
        rule.to_string()
    }
}
