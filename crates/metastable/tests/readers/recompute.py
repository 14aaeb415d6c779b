# Computes the test of runs again from their files alone: accuracy, negative log-likelihood, Brier score, expected calibration error.
#
#   pip install numpy
#   python recompute.py STUDY_OR_RUN...
#
# Prints a line of JSON a run, and exits with 1 if a run's own figures (run.json) are not those of its answers (test.safetensors).
#
#   accuracy  mean over tasks of the share of queries whose most probable class is right
#   nll       mean over tasks of the mean of -ln p(right class), in nats
#   brier     mean over queries of sum_c (p_c - [c is right])^2                     (Brier 1950)
#   ece       sum_b n_b / n |accuracy_b - confidence_b| over 15 bins of equal numbers of queries (Nguyen & O'Connor 2015)
#   ece_width the same over 15 bins of equal width                                  (Guo et al. 2017)
import json
import struct
import sys
from pathlib import Path

import numpy as np

DTYPES = {"U8": "<u1", "U32": "<u4", "F32": "<f4", "F64": "<f8"}
BINS = 15


def read(path):
    """Tensors and metadata of a safetensors file: eight bytes of length, a header of JSON, then the numbers."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, about in header.items():
        first, last = (8 + length + at for at in about["data_offsets"])
        tensors[name] = np.frombuffer(data[first:last], DTYPES[about["dtype"]]).reshape(about["shape"])
    return tensors, metadata


def tasks(tensors):
    """(way, queries of a class, supports of each class) of each task: one table, or one list that `task_way` cuts."""
    if "task_way" in tensors:
        at = 0
        for way, query in zip(tensors["task_way"], tensors["task_query"]):
            yield int(way), int(query), tensors["shots"][at : at + way]
            at += way
    else:
        n_tasks, way = tensors["classes"].shape
        query = tensors["query_images"].shape[1] // way
        shot = tensors["support_images"].shape[1] // way
        yield from [(way, query, np.full(way, shot))] * n_tasks


def ece(confidences, right, bins):
    return float(sum(len(b) / len(right) * abs(right[b].mean() - confidences[b].mean()) for b in bins if len(b)))


def check(folder):
    tensors, metadata = read(folder / "test.safetensors")
    record = json.loads((folder / "run.json").read_text())
    own = record["result"]["test"]
    files = {int(image): name for image, name in json.loads(metadata["files"]).items()}
    logits = tensors["log_probabilities"].ravel().astype(float)
    predictions = tensors["predictions"].ravel()
    supports, queries = tensors["support_images"].ravel(), tensors["query_images"].ravel()
    accuracies, nlls, briers, confidences, hits = [], [], [], [], []
    faults = []
    cell = first = support = 0
    for task, (way, query, shots) in enumerate(tasks(tensors)):
        n = way * query
        rows = logits[cell : cell + n * way].reshape(n, way)
        labels = np.repeat(np.arange(way), query)
        best = rows.argmax(axis=1)
        if not np.array_equal(best, predictions[first : first + n]):
            faults.append(f"task {task}: a prediction is not the most probable class")
        learnt, asked = supports[support : support + shots.sum()], queries[first : first + n]
        if set(learnt) & set(asked) or len(set(asked)) < n or len(set(learnt)) < shots.sum():
            faults.append(f"task {task}: an image is in it twice")
        p = np.exp(rows)
        accuracies.append((best == labels).mean())
        nlls.append(-rows[np.arange(n), labels].mean())
        briers.append(((p - np.eye(way)[labels]) ** 2).sum(axis=1))
        confidences.append(p.max(axis=1))
        hits.append(best == labels)
        cell, first, support = cell + n * way, first + n, support + shots.sum()
    if (cell, first, support) != (len(logits), len(predictions), len(supports)):
        faults.append("the lists are not those of the tasks")
    if set(files) != set(map(int, supports)) | set(map(int, queries)):
        faults.append("an image has no name")
    confidences, hits = np.concatenate(confidences).clip(max=1), np.concatenate(hits).astype(float)
    order = np.argsort(confidences, kind="stable")
    n = len(order)
    mass = [order[b * n // BINS : (b + 1) * n // BINS] for b in range(BINS)]
    place = np.minimum((confidences * BINS).astype(int), BINS - 1)
    width = [np.flatnonzero(place == b) for b in range(BINS)]
    found = {
        "run": str(folder),
        "n_tasks": len(accuracies),
        "n_queries": n,
        "accuracy": float(np.mean(accuracies)),
        "nll": float(np.mean(nlls)),
        "brier": float(np.concatenate(briers).mean()),
        "ece": ece(confidences, hits, mass),
        "ece_width": ece(confidences, hits, width),
    }
    print(json.dumps(found))
    if abs(found["accuracy"] - own["accuracy"]) > 1e-12:
        faults.append(f"run.json says accuracy {own['accuracy']}")
    # Probabilities are stored in single precision, and the run's own figure was summed before that.
    if own["nll"] is not None and abs(found["nll"] - own["nll"]) > 1e-5 * max(1, own["nll"]):
        faults.append(f"run.json says nll {own['nll']}")
    for fault in faults:
        print(f"WRONG {folder}: {fault}", file=sys.stderr)
    return not faults


folders = sorted({path.parent for given in sys.argv[1:] for path in Path(given).rglob("test.safetensors")})
if not folders:
    sys.exit("no test.safetensors there; name folders of runs or of studies")
sys.exit(0 if all([check(folder) for folder in folders]) else 1)
