//! What a data set bears: the largest usual episodes, as flags that can be pasted, for who asked for more than there is.

/// Usual sizes, which small sets fall short of.
const WAY: usize = 5;
const QUERY: usize = 15;

/// Fewest classes that can be told apart.
const LEAST_WAY: usize = 2;

/// `--set episode.way=3 ...`: settings under which every part of the split gives episodes of `shot` supports; none if no settings do.
/// `parts` has the number of images of each class of each part, and a class counts for `turns` classes. Where the classes may be
/// split anew (`by_chance`) and a part has too few, the split is among the settings.
pub(crate) fn flags(
    shot: usize,
    turns: usize,
    parts: &[Vec<usize>],
    by_chance: bool,
) -> Option<String> {
    // An episode needs a query of each class, too.
    let least = shot + 1;
    let has_small = parts.iter().flatten().any(|size| *size < least);
    let large = |part: &Vec<usize>| part.iter().filter(|size| **size >= least).count();
    let mut way = parts.iter().map(large).min().unwrap_or(0) * turns;
    let mut split = String::new();
    if way < LEAST_WAY {
        // A fifth for each of validation and test, and two at least.
        let n: usize = parts.iter().map(large).sum();
        let held = (n / 5).max(LEAST_WAY);
        if !by_chance || n < 3 * LEAST_WAY {
            return None;
        }
        split = format!("--set data.split=random:{},{held},{held} ", n - 2 * held);
        way = held * turns;
    }
    let smallest = parts
        .iter()
        .flatten()
        .filter(|size| **size >= least)
        .min()?;
    let (way, query) = (way.min(WAY), (smallest - shot).min(QUERY));
    let mut flags = format!(
        "{split}--set episode.way={way} --set episode.query={query} --set test.way={way} --set test.query={query}"
    );
    if has_small {
        // A random split is drawn anew without them, and may come out otherwise; the same advice then holds for what is left.
        flags += &format!(" --set data.min_images={least}");
    }
    Some(flags)
}

#[cfg(test)]
mod tests {
    use super::flags;

    #[test]
    fn what_is_named_is_what_every_part_has() {
        let parts = [vec![9, 9, 9], vec![6, 6], vec![9, 1, 8]];
        let said = flags(1, 1, &parts, false).unwrap();
        assert_eq!(
            said,
            "--set episode.way=2 --set episode.query=5 --set test.way=2 --set test.query=5 --set data.min_images=2"
        );
        let usual = flags(5, 4, &[vec![20; 3], vec![30; 2], vec![20; 9]], false).unwrap();
        assert!(usual.ends_with("test.way=5 --set test.query=15"), "{usual}");
        let few = [vec![9; 5], vec![9], vec![9, 8]];
        assert!(flags(1, 1, &few, false).is_none());
        // Eight classes that a random split gave 5, 1 and 2 of.
        assert_eq!(
            flags(1, 1, &few, true).unwrap(),
            "--set data.split=random:4,2,2 --set episode.way=2 --set episode.query=7 --set test.way=2 --set test.query=7"
        );
        assert!(flags(1, 1, &[vec![9, 9], vec![9], vec![9, 1]], true).is_none());
    }
}
