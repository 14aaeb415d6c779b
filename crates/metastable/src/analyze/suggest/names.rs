//! What people call the columns of a table, in the words of trackers and tuners.

/// What a column looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Run,
    Failed,
    Learner,
    Seed,
    Task,
    Step,
    Score,
    Number,
    Decades,
    Names,
    Other,
    /// A flag, or its name, says what it is.
    Settled,
}

/// Names that a column has, in lower case and without what trackers put in front, by what it is; ours is the first. The
/// first that occurs is taken.
pub(super) const SPOKEN: [(Look, &[&str]); 6] = [
    (
        Look::Run,
        &[
            "run", "run_id", "run_name", "trial_id", "trial", "name", "number", "uid", "job_id",
            "job", "lauf", "id",
        ],
    ),
    (
        Look::Failed,
        &["failed", "state", "status", "fehlgeschlagen"],
    ),
    (
        Look::Learner,
        &[
            "learner",
            "algorithm",
            "algo",
            "agent",
            "method",
            "approach",
            "model",
            "classifier",
            "verfahren",
            "lernverfahren",
        ],
    ),
    (
        Look::Seed,
        &[
            "seed",
            "seed_no",
            "random_seed",
            "random_state",
            "rng_seed",
            "seed_id",
            "seed_bundle",
        ],
    ),
    (
        Look::Task,
        &[
            "task",
            "task_id",
            "env",
            "environment",
            "env_id",
            "game",
            "episode",
            "dataset",
            "problem",
            "fold",
            "aufgabe",
        ],
    ),
    (
        Look::Step,
        &[
            "step",
            "_step",
            "epoch",
            "global_step",
            "training_iteration",
            "iteration",
            "timesteps_total",
            "timestep",
        ],
    ),
];

/// Scores, the likeliest first; the last part of a name or the name as a whole.
pub(super) const SCORES: [&str; 27] = [
    "score",
    "accuracy",
    "acc",
    "mean_test_score",
    "test_score",
    "test_acc",
    "test_accuracy",
    "eval_accuracy",
    "val_acc",
    "val_accuracy",
    "return",
    "episode_reward_mean",
    "episode_return",
    "mean_return",
    "reward",
    "value",
    "values_0",
    "f1",
    "auc",
    "genauigkeit",
    "success",
    "is_success",
    "success_rate",
    "solved",
    "result",
    "performance",
    "objective",
];

/// Losses, which are taken where no score is.
pub(super) const LOSSES: [&str; 4] = ["loss", "test_loss", "val_loss", "eval_loss"];

/// Parts of names whose smaller values are better.
pub(super) const LOWER: [&str; 9] = [
    "loss",
    "error",
    "rmse",
    "mse",
    "mae",
    "perplexity",
    "ppl",
    "regret",
    "seconds",
];

/// Parts of names whose values are shares of right answers, or percentages of them.
const SHARES: [&str; 6] = ["acc", "success", "f1", "auc", "genauigkeit", "correct"];

/// Whether a score is a share by its name.
pub(super) fn is_share(base: &str) -> bool {
    SHARES.iter().any(|part| base.contains(part))
}

/// Parts of names that are neither scores nor settings.
const NEITHER: [&str; 16] = [
    "time", "date", "duration", "created", "runtime", "rank_", "std_", "_std", "stderr", "uri",
    "uuid", "host", "notes", "artifact", "pid", "path",
];

/// Whether a column is neither a score nor a setting.
pub(super) fn is_neither(base: &str) -> bool {
    NEITHER.iter().any(|part| base.contains(part))
}

/// The last part of a name in lower case, without what trackers put in front of settings and metrics.
pub(super) fn base(name: &str) -> String {
    let lower = name.to_lowercase();
    let last = lower.rsplit(['/', '.', ':']).next().unwrap_or(&lower);
    let last = ["params_", "param_", "user_attrs_", "hp_"]
        .iter()
        .find_map(|front| last.strip_prefix(front))
        .unwrap_or(last);
    last.replace([' ', '-'], "_")
}
