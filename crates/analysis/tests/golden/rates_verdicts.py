"""Rates of docs/calibration.md on two rules that name a run or a learner: a run that lies outside counts as failed, and a learner falls after its
best checkpoint. With numpy and scipy, from the formulas in crates/analysis/src/failure.rs and src/training/selection.rs.

    venv/bin/python rates_verdicts.py [STUDIES] [SEED]
"""

import sys

import numpy as np
from scipy.stats import t

STUDIES = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 7)
LAWS = ("normal", "skew", "t3", "20 % bad")


def draw(law, shape):
    """Mean 0 and variance 1, as in crates/analysis/examples/calibrate/noise.rs."""
    if law == "normal":
        return rng.standard_normal(shape)
    if law == "skew":
        return 1 + np.log(rng.random(shape))
    if law == "t3":
        return rng.standard_t(3, shape) / 3**0.5
    return (rng.standard_normal(shape) + np.where(rng.random(shape) < 0.2, -3.2, 0.8)) / 3.56**0.5


def share(hits):
    p = np.mean(hits)
    return f"{100 * p:.1f} ± {100 * (p * (1 - p) / len(hits)) ** 0.5:.1f}"


def robust(runs):
    center = np.median(runs, axis=-1, keepdims=True)
    return center[..., 0], 1.4826 * np.median(np.abs(runs - center), axis=-1)


def limit(n):
    runs = rng.standard_normal((20000, n))
    center, sd = robust(runs)
    return np.quantile((center - runs.min(axis=-1)) / sd, 0.99)


print("| runs | seeds | SD of a run's score, pp: 1, % | 2 | 4 | 8 |\n| --- | --- | --- | --- | --- | --- |")
for n in (4, 5, 10, 20):
    far = limit(n)
    for law in LAWS:
        cells = []
        for sd in (0.01, 0.02, 0.04, 0.08):
            runs = 0.8 + sd * draw(law, (STUDIES, n))
            center, own = robust(runs)
            cells.append(share(runs.min(axis=-1) < center - np.maximum(far * own, 0.05)))
        print(f"| {n} | {law} | " + " | ".join(cells) + " |", flush=True)

print("\n| learners x runs | seeds | a fall of any learner, false, % | of a fall of one SD, found, % | of two |\n| --- | --- | --- | --- | --- |")
for learners, runs in ((4, 3), (4, 5), (4, 10), (4, 20)):
    for law in (*LAWS, "skew, to the high side"):

        def told(fall):
            gaps = (-draw("skew", (STUDIES, learners, runs)) if "high" in law else draw(law, (STUDIES, learners, runs))) + fall
            center, error = gaps.mean(axis=-1), gaps.std(axis=-1, ddof=1) / runs**0.5
            p = 2 * t.sf(center / error, runs - 1)
            return (center > 0) & (p * learners < 0.05)

        cells = [share(told(0.0).any(axis=-1)), share(told(1.0)[:, 0]), share(told(2.0)[:, 0])]
        print(f"| {learners} x {runs} | {law} | " + " | ".join(cells) + " |", flush=True)
