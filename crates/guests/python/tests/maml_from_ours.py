"""The template ``torch_maml.py``, started from weights of metastable: half of a test (crates/metastable/tests/it/guests/torch.rs).

``settings = { weights = "last.safetensors", width = 8, blocks = 4, optimizer = "sgd", double = false }``. The names of the tensors are those of
docs/python.md. With ``double`` everything is computed in double precision: what differs then is the rounding of single precision.
"""

import sys
from pathlib import Path
from typing import Any, Mapping, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from metastable_guest import Run, Task, serve  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch_maml import Maml  # noqa: E402


class FromOurs(Maml):
    def start(self, run: Run) -> None:
        super().start(run)
        ours = load_file(str(run.settings["weights"]))
        # Its blocks are four layers each, of which the first two have parameters.
        theirs = {}
        for block in range(int(run.settings.get("blocks", 4))):
            theirs[f"0.{4 * block}.weight"] = ours.pop(f"blocks.{block}.conv.weight")
            for part in ("weight", "bias"):
                theirs[f"0.{4 * block + 1}.{part}"] = ours.pop(f"blocks.{block}.norm.{part}")
        for part in ("weight", "bias"):
            theirs[f"1.{part}"] = ours.pop(f"head.{part}")
        assert not ours, f"weights without a place: {sorted(ours)}"
        self.net.load_state_dict(theirs)
        self.dtype = torch.float64 if run.settings.get("double", False) else torch.float32
        self.net.to(self.dtype)
        kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[str(run.settings["optimizer"])]
        self.optimizer = kind(self.net.parameters(), lr=run.budget["outer_lr"])

    def train(self, tasks: Sequence[Task]) -> Mapping[str, float]:
        dtype = self.of_numpy()
        return super().train([Task(t.support.astype(dtype), t.labels, t.query.astype(dtype), t.query_labels) for t in tasks])

    def predict(self, support: np.ndarray, labels: np.ndarray, query: np.ndarray, way: int) -> Any:
        dtype = self.of_numpy()
        return super().predict(support.astype(dtype), labels, query.astype(dtype), way)

    def of_numpy(self) -> type:
        return np.float64 if self.dtype == torch.float64 else np.float32


if __name__ == "__main__":
    serve(FromOurs())
