"""Rates of docs/calibration.md on spreads over settings and on sources of chance, with numpy and scipy alone: the formulas that the tests
hold the program against (make_moderation.py), on simulated tables. Prints the two tables.

    venv/bin/python rates_moderation.py [TABLES] [SEED]
"""

import itertools
import sys

import numpy as np
from scipy.special import digamma, polygamma
from scipy.stats import chi2, t
from scipy.stats import f as fisher

TABLES = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
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


def trigamma_inverse(y):
    x = 0.5 + 1 / y
    for _ in range(60):
        value = polygamma(1, x)
        x = x + value * (1 - value / y) / polygamma(2, x)
    return x


def prior(s2, df):
    """limma's prior of each row of variances."""
    e = np.log(s2) - digamma(df / 2) + np.log(df / 2)
    rest = e.var(axis=-1, ddof=1) - polygamma(1, df / 2)
    half = trigamma_inverse(np.maximum(rest, 1e-9))
    d0 = np.where(rest > 0, 2 * half, np.inf)
    s0 = np.where(rest > 0, np.exp(e.mean(axis=-1) + digamma(half) - np.log(half)), s2.mean(axis=-1))
    return d0[..., None], s0[..., None]


def moderated(s2, df, d0, s0):
    finite = np.minimum(d0, 1e9)
    return np.where(np.isinf(d0), s0, (finite * s0 + df * s2) / (finite + df)), np.minimum(d0 + df, 1e6)


def share(hits):
    p = np.mean(hits)
    return f"{100 * p:.1f} ± {100 * (p * (1 - p) / len(hits)) ** 0.5:.1f}"


def over_settings(learners, settings, runs, laws, ratio):
    scale = np.exp(0.5 * rng.standard_normal((TABLES, 1, settings, 1)))
    z = np.stack([draw(laws[j % len(laws)], (TABLES, settings, runs)) for j in range(learners)], 1)
    z[:, 0] *= ratio
    s2 = (z * scale).var(axis=-1, ddof=1)
    logs = np.log(s2)
    pairs = list(itertools.combinations(range(learners), 2))
    d = np.stack([logs[:, a] - logs[:, b] for a, b in pairs], 1)
    m, v, df = d.mean(axis=-1), d.var(axis=-1, ddof=1), settings - 1
    plain = 2 * t.sf(np.abs(m) / np.sqrt(v / settings), df)
    if learners > 2:
        w, dw = moderated(v, df, *prior(v, df))
        eb = 2 * t.sf(np.abs(m) / np.sqrt(w / settings), np.minimum(dw, (learners - 1) * df))
    else:
        eb = plain
    w, dw = moderated(s2, runs - 1, *prior(s2, runs - 1))
    q, da, db = w[:, 0, 0] / w[:, 1, 0], dw[:, 0, 0], dw[:, 1, 0]
    own = 2 * np.minimum(fisher.sf(q, da, db), fisher.cdf(q, da, db))
    everything = s2.reshape(TABLES, -1)
    w, dw = moderated(everything, runs - 1, *prior(everything, runs - 1))
    q, da = w[:, 0] / w[:, settings], dw[:, 0]
    shared = 2 * np.minimum(fisher.sf(q, da, da), fisher.cdf(q, da, da))
    # Holm claims something exactly if the least p-value is under the level over the number of pairs.
    holm = [p.min(axis=-1) * len(pairs) <= 0.05 for p in (plain, eb)]
    return holm + [plain[:, 0] <= 0.05, eb[:, 0] <= 0.05, own <= 0.05, shared <= 0.05]


print("| learners x settings x runs | seeds | t over settings, false claim on any pair, % | moderated t, the same | one learner x 2, one pair: t, % | moderated t | one setting, prior of each learner: false, % | at x 2 | one setting, one prior: false, % | at x 2 |")
print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
for learners, settings, runs in itertools.product((2, 4), (3, 6), (3, 5, 10)):
    for name, laws in [(law, [law]) for law in LAWS] + [("normal and t3 by turns", ["normal", "t3"])]:
        null = over_settings(learners, settings, runs, laws, 1.0)
        twice = over_settings(learners, settings, runs, laws, 2.0)
        cells = [null[0], null[1], twice[2], twice[3], null[4], twice[4], null[5], twice[5]]
        print(f"| {learners} x {settings} x {runs} | {name} | " + " | ".join(share(c) for c in cells) + " |", flush=True)


def distances(runs):
    d = np.sort(np.abs(runs - np.median(runs, axis=-1, keepdims=True)), axis=-1)
    return d[..., 1:] if runs.shape[-1] % 2 else d


def sources(n, groups, runs, law, ratio, draws=199):
    z = draw(law, (TABLES, n, groups, runs))
    z[:, 0] *= ratio
    d = distances(z).reshape(TABLES, n, -1)

    def spread(d):
        means = d.mean(axis=-1)
        return np.log(means.max(axis=-1) / means.min(axis=-1))

    own, reached, flat = spread(d), np.ones(TABLES), d.reshape(TABLES, -1)
    for _ in range(draws):
        reached += spread(rng.permuted(flat, axis=-1).reshape(d.shape)) >= own - 1e-9
    df = groups * (runs - 1)
    s2 = z.var(axis=-1, ddof=1).mean(axis=-1)
    apart = s2.max(axis=-1) * df / chi2.ppf(0.975, df) > s2.min(axis=-1) * df / chi2.ppf(0.025, df)
    return reached / (draws + 1) <= 0.05, apart


print("\n| sources x groups x runs | seeds | false claim, % | intervals that do not meet (the rule of before), % | one source x 2, % | x 4, % |")
print("| --- | --- | --- | --- | --- | --- |")
for sizes in ((2, 1, 5), (2, 1, 10), (4, 1, 10), (4, 1, 20), (2, 4, 4), (4, 4, 4)):
    for law in LAWS:
        null, before = sources(*sizes, law, 1.0)
        cells = [null, before, sources(*sizes, law, 2.0)[0], sources(*sizes, law, 4.0)[0]]
        print(f"| {' x '.join(map(str, sizes))} | {law} | " + " | ".join(share(c) for c in cells) + " |", flush=True)
