"""Prints how often the words on a published mean are wrong, on simulated tables: the section of docs/calibration.md.

The rule is that of make_reproduction.py, which tests hold the Rust code against. The published number is one training of the same kind of
learner on 600 tasks of its own, with its 95 % interval over tasks.

    venv/bin/python rates_reproduction.py 400
"""

import sys

import numpy as np
from scipy.stats import norm, t

MARGIN, RATE, TASKS, TASK, RESIDUAL = 0.005, 0.05, 600, 0.02, 0.02
rng = np.random.default_rng(7)


def law(name, size):
    return rng.normal(size=size) if name == "normal" else 1 - rng.exponential(size=size)


def word(runs, sd, name, difference):
    scores = 0.9 + difference + sd * law(name, (runs, 1)) + TASK * rng.normal(size=(1, TASKS)) + RESIDUAL * rng.normal(size=(runs, TASKS))
    error = np.sqrt((TASK**2 + RESIDUAL**2) / TASKS)
    theirs = 0.9 + sd * law(name, 1)[0] + error * rng.normal()
    means, per_task = scores.mean(1), scores.mean(0)
    residual = scores - means[:, None] - per_task[None, :] + scores.mean()
    ms_res = (residual**2).sum() / ((runs - 1) * (TASKS - 1))
    v_task = max(0.0, (runs * per_task.var(ddof=1) - ms_res) / runs)
    spread = means.var(ddof=1) * (1 / runs + 1)
    total = spread + v_task / TASKS + (1.96 * error / norm.ppf(0.975)) ** 2
    half = t.ppf(1 - RATE, total**2 / (spread**2 / (runs - 1))) * np.sqrt(total)
    gap = abs(means.mean() - theirs)
    if half > abs(MARGIN - gap):
        return 0
    return 1 if gap < MARGIN else 2


n = int(sys.argv[1])
for runs in (3, 5, 10):
    for sd in (0.0005, 0.001, 0.002, 0.005):
        for name in ("normal", "skew"):
            cells = []
            for difference in (0.0, 0.005, 0.01):
                words = [word(runs, sd, name, difference) for _ in range(n)]
                for said in (1, 2):
                    p = words.count(said) / n
                    cells.append(f"{100 * p:.1f} ± {100 * np.sqrt(p * (1 - p) / n):.1f}")
            print(f"| {runs} | {100 * sd:.2f} | {name} | {' | '.join(cells)} |")
