# Reads the event files of a study back with TensorBoard's own reader, and compares them with the logs.
#
#   pip install -r requirements.txt
#   python events.py DIR
import json
import struct
import sys
from importlib.metadata import version
from pathlib import Path

from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

study = Path(sys.argv[1])
failures = 0


def alone(tree, name=()):
    """Numbers that stand in no list."""
    if isinstance(tree, dict):
        for key, inner in tree.items():
            yield from alone(inner, (*name, key))
    elif isinstance(tree, (int, float)):
        yield ".".join(name), tree


def f32(number):
    return struct.unpack("f", struct.pack("f", number))[0]


viewer = EventMultiplexer(size_guidance={"scalars": 0, "tensors": 0}).AddRunsFromDirectory(str(study / "tensorboard"))
viewer.Reload()
runs = sorted(path.name for path in (study / "runs").iterdir())
if sorted(viewer.Runs()) != runs:
    sys.exit(f"TensorBoard finds {sorted(viewer.Runs())}, the study has {runs}")
for run in runs:
    lines = [dict(alone(json.loads(line))) for line in (study / "runs" / run / "log.jsonl").read_text().splitlines()]
    tags = set().union(*lines) - {"step"}
    seen = viewer.GetAccumulator(run)
    same = set(seen.Tags()["scalars"]) == tags
    n = 0
    for tag in tags if same else []:
        expected = [(line["step"], f32(line[tag])) for line in lines if tag in line]
        same &= [(event.step, event.value) for event in seen.Scalars(tag)] == expected
        n += len(expected)
    failures += not same
    print(f"{'ok' if same else 'WRONG':<6}{run}: {len(tags)} scalars, {n} values")
print(f"{failures} wrong; tensorboard {version('tensorboard')}")
sys.exit(failures > 0)
