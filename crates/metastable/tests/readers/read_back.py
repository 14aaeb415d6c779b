# Reads an exported study back with polars and pandas, and compares it with the study's own files.
#
#   cargo xtask export DIR --format csv      (and parquet, jsonl)
#   pip install -r requirements.txt
#   python read_back.py DIR [EXPORTED]       (EXPORTED is DIR/export unless said)
import json
import math
import sys
from importlib.metadata import version
from pathlib import Path

import pandas
import polars
import pyarrow.parquet
from polars.testing import assert_frame_equal

TABLES = ["runs", "settings", "steps", "signals", "tasks", "hits", "supports", "probabilities", "curves"]
DTYPES = {polars.UInt64: "whole number", polars.Float64: "number", polars.Boolean: "true or false", polars.String: "text"}

study = Path(sys.argv[1])
exported = Path(sys.argv[2]) if len(sys.argv) > 2 else study / "export"
failures = 0


def check(what, is_so):
    global failures
    failures += not is_so
    print(f"{'ok' if is_so else 'WRONG':<6}{what}")


def numbers(tree, name=(), places=()):
    """Every number of a line: name, places in lists, value."""
    if isinstance(tree, dict):
        for key, inner in tree.items():
            yield from numbers(inner, (*name, key), places)
    elif isinstance(tree, list):
        for place, inner in enumerate(tree):
            yield from numbers(inner, name, (*places, place))
    elif isinstance(tree, (int, float)):
        yield ".".join(name), places, tree


# Parquet says what its columns are; the other two formats are read with those types.
frames = {name: polars.read_parquet(exported / f"{name}.parquet") for name in TABLES}
for name, frame in frames.items():
    notes = pyarrow.parquet.read_schema(exported / f"{name}.parquet").metadata
    described = json.loads(notes[b"columns"])
    is_typed = all(dtype in DTYPES for dtype in frame.dtypes)
    check(f"polars, {name}.parquet: {frame.height} rows, {frame.width} columns, all typed and described",
          is_typed and list(described) == sorted(frame.columns))
    csv = polars.read_csv(exported / f"{name}.csv", schema=frame.schema)
    jsonl = polars.read_ndjson(exported / f"{name}.jsonl", schema=frame.schema)
    for other, form in [(csv, "csv"), (jsonl, "jsonl")]:
        assert_frame_equal(frame, other, check_exact=True)
        check(f"polars, {name}.{form}: the same values to the bit", True)
    by_pandas = [
        pandas.read_parquet(exported / f"{name}.parquet"),
        pandas.read_csv(exported / f"{name}.csv", keep_default_na=False, na_values=[""]),
        pandas.read_json(exported / f"{name}.jsonl", lines=True, precise_float=True, dtype=False),
    ]
    for form, other in zip(["parquet", "csv", "jsonl"], by_pandas):
        same = list(other.columns) == frame.columns and len(other) == frame.height
        for column in other.columns if same else []:
            dtype = frame.schema[column]
            there = other[column].notna().to_list()
            same &= there == frame[column].is_not_null().to_list()
            if dtype in (polars.UInt64, polars.Float64):
                # pandas parses JSON's numbers to within a unit in the last place.
                close = 0.0 if form != "jsonl" else 4e-16
                pairs = zip(other[column][there].to_list(), frame[column].drop_nulls().to_list())
                same &= all(math.isclose(float(a), float(b), rel_tol=close) for a, b in pairs)
        check(f"pandas, {name}.{form}: the same", same)

# Against the files of the runs.
runs, steps, signals, tasks, hits = (frames[name] for name in ["runs", "steps", "signals", "tasks", "hits"])
for run in runs.iter_rows(named=True):
    folder = study / "runs" / run["run"]
    record = json.loads((folder / "run.json").read_text())
    result, test = record["result"], record["result"]["test"] or {}
    same = (
        run["identity"] == record["identity"]
        and run["outcome"] == result["outcome"]["kind"]
        and run["diverged_step"] == result["outcome"].get("step")
        and run["train_seconds"] == result["train_seconds"]
        and run["n_parameters"] == record["n_parameters"]
        and run["test_accuracy"] == test.get("accuracy")
        and run["test_nll"] == test.get("nll")
    )
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    logged = steps.filter(run=run["run"]).drop("run")
    flat = [{k: v for k, v in line.items() if isinstance(v, (int, float))} for line in lines]
    same &= [{k: v for k, v in row.items() if v is not None} for row in logged.iter_rows(named=True)] == flat
    deep = [
        (line["step"], name, *(*places, None, None)[:2], float(value))
        for line in lines
        for name, places, value in numbers(line)
        if places or "." in name
    ]
    by_key = lambda row: (row[0], row[1], row[2] or 0, row[3] or 0)
    same &= sorted(signals.filter(run=run["run"]).drop("run").rows(), key=by_key) == sorted(deep, key=by_key)
    own = tasks.filter(run=run["run"]).sort("task")
    if test:
        from_hits = hits.filter(run=run["run"]).group_by("task").agg(polars.col("hit").mean()).sort("task")
        same &= from_hits["hit"].to_list() == own["accuracy"].to_list()
        same &= math.isclose(own["accuracy"].mean(), test["accuracy"], rel_tol=1e-14)
        agree = hits.filter((polars.col("class") == polars.col("predicted_class")) != polars.col("hit"))
        same &= agree.is_empty()
    else:
        same &= own.is_empty()
    check(f"{run['run']}: run.json and log.jsonl say the same", same)

# Against the report.
report = json.loads((study / "report.json").read_text())
for setting in report["settings"]:
    for learner in setting["learners"]:
        own = runs.filter(learner=learner["learner"], setting=setting["setting"])
        of_runs = own.drop_nulls("test_accuracy")["test_accuracy"]
        if of_runs.is_empty():
            check(f"report.json, {learner['learner']}: no run was tested", "spread" not in learner["all"])
            continue
        mean = learner["all"]["spread"]["mean"]["value"]
        check(f"report.json, {learner['learner']}: mean accuracy {mean:.6f}", math.isclose(of_runs.mean(), mean, rel_tol=1e-12))

print(f"{failures} wrong; " + ", ".join(f"{name} {version(name)}" for name in ["polars", "pandas", "pyarrow"]))
sys.exit(failures > 0)
