//! `[replace]`: trainings that differ in one task of a finite pool.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::section::{read, require};
use super::tree::{self, Entry, Item, Origin};

/// The keys of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
    /// Tasks of each pool, n.
    pools: Vec<usize>,
    /// How many tasks of each pool are exchanged, one training each.
    members: usize,
}

impl Table {
    fn check(&self) -> Result<()> {
        let is_one_each = self
            .pools
            .iter()
            .enumerate()
            .all(|(at, size)| *size > 0 && !self.pools[..at].contains(size));
        require(
            is_one_each,
            "pools",
            format!("{:?}", self.pools),
            "has to be numbers of tasks, each once, e.g. [100, 300, 1000]",
        )?;
        require(
            self.members <= 10_000,
            "members",
            self.members,
            "has to be at most 10,000; 10 to 20 are usual",
        )
    }
}

/// Which pools there are, and which of their tasks are exchanged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replace {
    table: Table,
    origin: Option<Origin>,
}

/// One training of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// Tasks of the pool.
    pool: usize,
    what: What,
}

/// What is exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Nothing,
    /// Nothing, and the training is made once more: what differs then is noise.
    NothingAgain,
    Member(usize),
}

impl Replace {
    pub(super) fn read(entries: &[Entry]) -> Result<Self> {
        let table: Table = read(entries, "replace", &Table::default(), Table::check)?;
        let Some(first) = entries.first() else {
            return Ok(Self::default());
        };
        let smallest = table.pools.iter().min().copied().unwrap_or(0);
        if smallest == 0 || table.members == 0 || smallest < table.members {
            bail!(
                "{}: [replace]: {} tasks are to be exchanged in pools of {:?} tasks; give both, with no more members than the smallest pool has tasks, e.g. pools = [100, 300, 1000] and members = 10",
                first.origin,
                table.members,
                table.pools
            );
        }
        Ok(Self {
            table,
            origin: Some(first.origin.clone()),
        })
    }

    /// Where it was declared; none if it was not.
    pub(crate) fn place(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Every training, pool by pool; that of the whole pool comes first.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        let of_pool = |pool: &usize| {
            let members = (0..self.table.members).map(What::Member);
            [What::Nothing, What::NothingAgain]
                .into_iter()
                .chain(members)
                .map(|what| Exchange { pool: *pool, what })
                .collect::<Vec<_>>()
        };
        self.table.pools.iter().flat_map(of_pool).collect()
    }
}

impl Exchange {
    /// Puts its settings into the tree of a study.
    #[allow(
        clippy::cast_possible_wrap,
        reason = "both were read as whole numbers of TOML"
    )]
    pub(super) fn put(self, root: &mut Vec<Entry>, origin: &Origin) {
        let mut put = |path: &str, value: usize| {
            tree::put_item(root, path, Item::Integer(value as i64), origin);
        };
        put("episode.pool", self.pool);
        if let What::Member(member) = self.what {
            put("episode.replaced", member);
        }
    }

    /// Number of times that the same training was made before.
    pub(crate) fn repetition(self) -> u32 {
        u32::from(self.what == What::NothingAgain)
    }

    /// What tells it apart in the name of a run.
    pub(crate) fn label(self) -> String {
        let pool = self.pool;
        match self.what {
            What::Nothing => format!("n{pool}"),
            What::NothingAgain => format!("n{pool}-again"),
            What::Member(member) => format!("n{pool}-r{member}"),
        }
    }
}
