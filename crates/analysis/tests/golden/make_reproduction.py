"""Makes reproduction.toml: two one-sided tests with Satterthwaite's degrees of freedom, written from the formulas with numpy and scipy.
The tests do not need Python.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 numpy==2.4.6
    venv/bin/python make_reproduction.py > reproduction.toml
"""

from importlib.metadata import version

import numpy as np
from scipy.stats import norm, t

MARGIN, RATE, MOST = 0.005, 0.05, 1000
rng = np.random.default_rng(20)


def judge(scores, value, width, kind, runs, tasks, digit):
    r, n = scores.shape
    means, per_task = scores.mean(1), scores.mean(0)
    residual = scores - means[:, None] - per_task[None, :] + scores.mean()
    ms_res = (residual**2).sum() / ((r - 1) * (n - 1))
    v_task = max(0.0, (r * per_task.var(ddof=1) - ms_res) / r)
    seed = means.var(ddof=1)
    rest, their_runs, theirs, their_df = v_task / n + digit**2 / 12, float(runs), 0.0, max(runs, 2) - 1.0
    if kind == "none":
        rest += (v_task + ms_res) / tasks
    elif kind in ("tasks-95", "unknown"):
        rest += (width / norm.ppf(0.975)) ** 2
    else:
        their_runs = np.inf
        theirs = {"seeds-sd": width**2 / runs, "seeds-se": width**2, "seeds-95": (width / t.ppf(0.975, their_df)) ** 2}[kind]

    def half(m):
        spread = seed * (1 / m + 1 / their_runs)
        total = spread + theirs + rest
        df = total**2 / (spread**2 / (m - 1) + theirs**2 / their_df)
        return t.ppf(1 - RATE, df) * np.sqrt(total)

    difference = means.mean() - value
    gap = abs(MARGIN - abs(difference))
    if half(r) <= gap:
        word = "reproduced" if abs(difference) < MARGIN else "not-reproduced"
    else:
        word = "undecided"
    needed = 0
    if word == "undecided":
        needed = next((m for m in range(r + 1, MOST + 1) if half(m) <= gap), 0)
    return word, difference, half(r), needed, half(MOST)


print(f"# scipy {version('scipy')}, numpy {version('numpy')}")
cases = [
    # runs, tasks, seed SD, ours, published, width, kind, their runs, their tasks, digit
    (5, 40, 0.001, 0.987, 0.988, 0.0, "none", 1, 1000, 0.001),
    (3, 30, 0.001, 0.960, 0.987, 0.004, "tasks-95", 1, 600, 0.001),
    (4, 30, 0.003, 0.960, 0.9585, 0.0005, "seeds-sd", 3, 600, 0.0001),
    (6, 25, 0.002, 0.951, 0.9539, 0.0009, "unknown", 1, 10000, 0.0001),
    (3, 25, 0.0005, 0.9771, 0.977, 0.0004, "seeds-se", 3, 600, 0.0001),
    (8, 20, 0.004, 0.931, 0.937, 0.007, "seeds-95", 3, 600, 0.001),
    (3, 40, 0.002, 0.9771, 0.977, 0.0004, "tasks-95", 5, 600, 0.0001),
]
for runs, tasks, sd, ours, value, width, kind, their_runs, their_tasks, digit in cases:
    scores = ours + sd * rng.normal(size=(runs, 1)) + 0.004 * rng.normal(size=(1, tasks)) + 0.003 * rng.normal(size=(runs, tasks))
    scores = np.round(scores, 6)
    word, difference, half, needed, least = judge(scores, value, width, kind, their_runs, their_tasks, digit)
    print("[[case]]")
    print("scores = [" + ", ".join("[" + ", ".join(repr(float(v)) for v in row) + "]" for row in scores) + "]")
    print(f'value = {value}\nwidth = {width}\nkind = "{kind}"\nruns = {their_runs}\ntasks = {their_tasks}\ndigit = {digit}')
    print(f'word = "{word}"\ndifference = {float(difference)!r}\nhalf_width = {float(half)!r}\nneeded = {needed}\nleast = {float(least)!r}')
