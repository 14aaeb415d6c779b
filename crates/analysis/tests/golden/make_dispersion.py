"""Makes dispersion.toml: a gamma model of variances with a known part, by statsmodels, and Firth's logistic regression by a general
optimizer. The tests do not need Python.

    python3 -m venv venv && venv/bin/pip install statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6
    venv/bin/python make_dispersion.py > dispersion.toml
"""

from importlib.metadata import version

import numpy as np
import statsmodels.api as sm
from scipy.optimize import brentq, minimize
from scipy.stats import chi2
from statsmodels.genmod.families.links import Link

rng = np.random.default_rng(20261130)


def show(name, values):
    print(f"{name} = [" + ", ".join(repr(float(v)) for v in np.ravel(values)) + "]")


class LogAbove(Link):
    """log(mu - v): the known part v of each variance comes on top."""

    def __init__(self, known):
        self.known = known

    def __call__(self, p):
        return np.log(np.maximum(p - self.known, 1e-12))

    def inverse(self, z):
        return np.exp(z) + self.known

    def deriv(self, p):
        return 1 / np.maximum(p - self.known, 1e-12)

    def deriv2(self, p):
        return -1 / np.maximum(p - self.known, 1e-12) ** 2

    def inverse_deriv(self, z):
        return np.exp(z)


print(f"# statsmodels {version('statsmodels')}, scipy {version('scipy')}, numpy {version('numpy')}")
n = 24
x = np.round(np.linspace(-0.5, 0.5, n), 6)
group = np.array([i % 2 - 0.5 for i in range(n)])
df = np.array([2.0 + i % 3 for i in range(n)])
known = np.round(0.02 + 0.01 * rng.random(n), 6)
variances = np.round((np.exp(-2 + 1.2 * x) + known) * rng.chisquare(df) / df, 6)
design = np.c_[np.ones(n), x, group]
print("[gamma]")
for name, values in (("x", x), ("group", group), ("df", df), ("known", known), ("variances", variances)):
    show(name, values)
for name, floor in (("plain", np.zeros(n)), ("above", known)):
    family = sm.families.Gamma(link=LogAbove(floor), check_link=False)
    model = sm.GLM(variances, design, family=family, var_weights=df / 2)
    start = [np.log(variances.mean() - floor.mean()), 0.0, 0.0]
    fit = model.fit(start_params=start, maxiter=1000, tol=1e-15, scale=1.0)
    show(name, fit.params)

print("[firth]")
dose = np.round(np.linspace(-0.5, 0.5, 12), 6)
runs = np.array([3.0] * 12)
failed = np.array([0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 3], float)
design = np.c_[np.ones(12), dose]


def penalized(b):
    pi = 1 / (1 + np.exp(-design @ b))
    weights = runs * pi * (1 - pi)
    plain = np.sum(failed * np.log(pi) + (runs - failed) * np.log(1 - pi))
    return plain + 0.5 * np.linalg.slogdet(design.T @ (weights[:, None] * design))[1]


def profile(value):
    best = minimize(lambda a: -penalized(np.array([a[0], value])), [0.0], method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-14})
    return -best.fun


best = minimize(lambda b: -penalized(b), [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-14, "maxiter": 20000})
floor = -best.fun - chi2.ppf(0.95, 1) / 2
lower = brentq(lambda v: profile(v) - floor, best.x[1] - 12, best.x[1])
upper = brentq(lambda v: profile(v) - floor, best.x[1], best.x[1] + 40)
for name, values in (("dose", dose), ("runs", runs), ("failed", failed)):
    show(name, values)
show("slope", [best.x[1], lower, upper])
