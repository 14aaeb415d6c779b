"""A guest that trains by itself, in numpy: class means under the spread of each pixel within a class, which it learns from the training
classes; half of a test (crates/metastable/tests/it/guests/own.rs).

``settings = { ridge = 0.1 }`` is added to every variance. The larger it is, the less the variances matter: at 1e9 this is the template
``nearest_mean.py``, up to a factor that all logits share.
"""

import sys
from pathlib import Path
from typing import Mapping

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from metastable_guest import Learner, Report, Run, serve  # noqa: E402

import numpy as np  # noqa: E402


class Ridge(Learner):
    def start(self, run: Run) -> None:
        self.steps = run.budget["outer_steps"]
        self.ridge = float(run.settings["ridge"])
        self.variance = np.zeros(run.data["height"] * run.data["width"] * run.data["channels"])

    def fit(
        self, train: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray], report: Report
    ) -> Mapping[str, float]:
        images, classes = train
        rows = images.reshape(len(images), -1).astype(np.float64)
        found = np.unique(classes)
        within = [rows[classes == one].var(axis=0) for one in found]
        for step in range(1, self.steps + 1):
            # A training has steps: the classes are looked at in as many shares as there are.
            self.variance = np.mean(within[: max(1, len(found) * step // self.steps)], axis=0)
            report(step, float(self.variance.mean()), 0.5)
        return {"step": self.steps, "loss": float(self.variance.mean()), "accuracy": 0.5}

    def predict(self, support: np.ndarray, labels: np.ndarray, query: np.ndarray, way: int) -> np.ndarray:
        rows, queries = (images.reshape(len(images), -1).astype(np.float64) for images in (support, query))
        means = np.stack([rows[labels == k].mean(axis=0) for k in range(way)])
        scale = 1 / (self.variance + self.ridge)
        return -(((queries[:, None] - means[None]) ** 2) * scale).sum(axis=2) * self.ridge

    def save(self, path: Path) -> None:
        with open(path, "wb") as file:
            np.save(file, self.variance, allow_pickle=False)

    def load(self, path: Path) -> None:
        self.variance = np.load(path, allow_pickle=False)


if __name__ == "__main__":
    serve(Ridge())
