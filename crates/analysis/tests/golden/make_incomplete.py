"""Writes incomplete.toml: golden values for an incomplete table of runs by tasks: adjusted means of runs and variance components by REML.

Runs fixed and tasks random gives the adjusted means (lme4: y ~ 0 + run + (1 | task)); both random gives the mean of other runs on other
tasks (y ~ 1 + (1 | run) + (1 | task)). python tests/golden/make_incomplete.py > tests/golden/incomplete.toml; versions stand in the output.
"""
import sys

import numpy
import pandas
import scipy
import statsmodels
import statsmodels.formula.api as smf

rng = numpy.random.default_rng(16)
rows = []
for run in range(5):
    of_run = rng.normal(0, 0.03)
    for task in range(12):
        rows.append((run, task, of_run))
of_task = rng.normal(0, 0.08, 12)
frame = pandas.DataFrame(rows, columns=["run", "task", "of_run"])
frame["y"] = (0.7 + frame.of_run + of_task[frame.task] + rng.normal(0, 0.04, len(frame))).round(4)
# A run that broke off before the last tasks, one that lacks a single task, and holes elsewhere.
gone = [(0, 9), (0, 10), (0, 11), (2, 4), (3, 0), (3, 7), (4, 4)]
frame = frame[[(r, t) not in gone for r, t in zip(frame.run, frame.task)]]

fixed = smf.mixedlm("y ~ 0 + C(run)", frame, groups="task").fit(reml=True, method=["bfgs", "lbfgs"], gtol=1e-10)
frame["one"] = 1
both = smf.mixedlm(
    "y ~ 1", frame, groups="one", vc_formula={"run": "0 + C(run)", "task": "0 + C(task)"}
).fit(reml=True, method=["bfgs", "lbfgs"], gtol=1e-10)
names = list(both.model.exog_vc.names)
print(
    f"# By make_incomplete.py: Python {sys.version.split()[0]}, numpy {numpy.__version__}, scipy {scipy.__version__}, "
    f"statsmodels {statsmodels.__version__}."
)
print("# Rows: run, task, score.")
print("rows = [")
for r, t, y in zip(frame.run, frame.task, frame.y):
    print(f"    [{r}.0, {t}.0, {y}],")
print("]")
print("adjusted_means =", [float(it) for it in fixed.fe_params])
print("adjusted_task_variance =", float(fixed.cov_re.iloc[0, 0]))
print("adjusted_residual =", float(fixed.scale))
print("mean =", float(both.fe_params.iloc[0]))
print("standard_error =", float(both.bse_fe.iloc[0]))
print("run_variance =", float(both.vcomp[names.index("run")]))
print("task_variance =", float(both.vcomp[names.index("task")]))
print("residual =", float(both.scale))
