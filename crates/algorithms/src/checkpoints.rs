//! Which fast weights the adjoint of a long inner loop keeps: a fixed number of checkpoints, from which it makes all others again,
//! each as rarely as that number allows (Griewank and Walther 2000, "Algorithm 799: revolve", ACM TOMS 26(1), section 2).

use std::ops::Range;

/// Checkpoints at a time, the first point among them. That one is theta, which is there anyway: five are the adjoint's own, for
/// any number of steps. 28 steps are made at most once more than a loop with a checkpoint at each would make them, 84 twice.
pub(crate) const SLOTS: usize = 6;

/// Where the checkpoints of the steps `piece` lie, for `slots` (at least 1) of them: the first at its start, and each where what
/// lies before it and what lies behind it cost the least.
pub(crate) fn positions(piece: Range<usize>, slots: usize) -> Vec<usize> {
    let mut positions = vec![piece.start];
    for slots in (2..=slots).rev() {
        let last = positions[positions.len() - 1];
        if piece.end - last < 2 {
            break;
        }
        positions.push(last + first_part(piece.end - last, slots));
    }
    positions
}

/// Steps before the next checkpoint, in a piece of `n_steps` (at least 2) that begins with one and has `slots` (at least 2).
fn first_part(n_steps: usize, slots: usize) -> usize {
    let mut repeats = 1;
    while reach(slots, repeats) < n_steps {
        repeats += 1;
    }
    // Behind it is one slot less. What lies before it was walked once already when its turn comes, to get behind it.
    let behind = reach(slots - 1, repeats);
    let before = if repeats < 2 {
        1
    } else {
        reach(slots, repeats - 2)
    };
    before.max(n_steps.saturating_sub(behind))
}

/// `C(slots + repeats, slots)`: the longest piece of which no step is walked more than `repeats` times.
fn reach(slots: usize, repeats: usize) -> usize {
    (1..=slots).fold(1, |reach, slot| reach * (repeats + slot) / slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps walked to undo a piece, from its checkpoint.
    fn walked(piece: Range<usize>, slots: usize) -> usize {
        if piece.len() < 2 {
            return 0;
        }
        if slots == 1 {
            return (1..piece.len()).sum();
        }
        let positions = positions(piece.clone(), slots);
        let last = positions[positions.len() - 1];
        let mut end = piece.end;
        let parts = positions.iter().enumerate().rev().map(|(n_before, start)| {
            let part = *start..end;
            end = *start;
            walked(part, slots - n_before)
        });
        parts.sum::<usize>() + last - piece.start
    }

    /// The least number of steps, `r n - C(s + r, r - 1)` with the smallest `r` that reaches: Griewank and Walther 2000, equation
    /// (1) of section 2.
    #[test]
    fn no_schedule_walks_fewer_steps() {
        for slots in 1..=8 {
            for n_steps in 2..=200 {
                let repeats = (1..).find(|r| reach(slots, *r) >= n_steps).unwrap();
                let least = repeats * n_steps - reach(slots + 1, repeats - 1);
                assert_eq!(
                    walked(0..n_steps, slots),
                    least,
                    "{n_steps} steps, {slots} slots"
                );
            }
        }
    }

    #[test]
    fn a_checkpoint_at_every_step_where_there_is_room() {
        assert_eq!(positions(0..5, 6), [0, 1, 2, 3, 4]);
        assert_eq!(positions(3..4, 2), [3]);
        assert_eq!(reach(6, 2), 28);
        assert_eq!(reach(6, 3), 84);
    }
}
