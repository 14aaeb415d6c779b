"""Makes moderation.toml: the empirical Bayes of limma (fitFDist, squeezeVar) and the moderated t, written from Smyth 2004 with scipy's
digamma and trigamma; trigamma is inverted by a general root finder. The tests do not need Python.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 numpy==2.4.6
    venv/bin/python make_moderation.py > moderation.toml
"""

from importlib.metadata import version

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import t

rng = np.random.default_rng(2004)


def prior(s2, df):
    e = np.log(s2) - digamma(df / 2) + np.log(df / 2)
    rest = e.var(ddof=1) - polygamma(1, df / 2).mean()
    if rest <= 0:
        return np.inf, s2.mean()
    half = brentq(lambda x: polygamma(1, x) - rest, 1e-6, 1e12, xtol=1e-300, rtol=1e-14)
    return 2 * half, np.exp(e.mean() + digamma(half) - np.log(half))


def moderated(s2, df, d0, s0):
    if np.isinf(d0):
        return np.full_like(s2, s0), np.full_like(df, np.inf)
    return (d0 * s0 + df * s2) / (d0 + df), d0 + df


def show(name, values):
    text = ", ".join("inf" if np.isinf(v) else repr(float(v)) for v in np.ravel(values))
    print(f"{name} = [{text}]")


print(f"# scipy {version('scipy')}, numpy {version('numpy')}; made by make_moderation.py")
for n, spread, equal in [(4, 0.0, True), (5, 1.0, True), (6, 0.7, False), (30, 0.4, False), (3, 2.0, False)]:
    df = np.full(n, 4.0) if equal else rng.integers(1, 12, n).astype(float)
    sigma2 = np.exp(spread * rng.standard_normal(n) - 3)
    s2 = sigma2 * rng.chisquare(df) / df
    d0, s0 = prior(s2, df)
    m, d = moderated(s2, df, d0, s0)
    print("\n[[prior]]")
    show("variances", s2)
    show("df", df)
    show("prior", [d0, s0])
    show("moderated", m)
    show("moderated_df", d)

# Three learners in four settings, five runs each, without noise of the test: the moderated t of each pair.
print("\n[settings]")
runs = rng.standard_normal((3, 4, 5)) * np.array([0.3, 1.0, 1.4])[:, None, None] * np.exp(0.4 * rng.standard_normal(4))[None, :, None]
show("runs", runs)
logs = np.log(runs.var(axis=-1, ddof=1))
pairs = [(0, 1), (0, 2), (1, 2)]
differences = np.array([logs[a] - logs[b] for a, b in pairs])
v, df = differences.var(axis=-1, ddof=1), np.full(3, 3.0)
d0, s0 = prior(v, df)
m, d = moderated(v, df, d0, s0)
d = np.minimum(d, 2 * 3.0)
error = np.sqrt(m / 4)
center = differences.mean(axis=-1)
half = t.ppf(0.975, d) * error
show("prior", [d0, s0])
show("ratio", np.exp(center / 2))
show("lower", np.exp((center - half) / 2))
show("upper", np.exp((center + half) / 2))
show("df", d)
show("p", 2 * t.sf(np.abs(center / error), d))
plain = np.sqrt(v / 4)
show("plain_p", 2 * t.sf(np.abs(center / plain), 3.0))
