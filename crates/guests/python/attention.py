"""A learner in context, in numpy: one attention over the supports as a sequence, later ones weighing more.

It learns nothing, and shows what the question about the order of the supports (C8) finds: ``recency`` is how much a support gains
by coming last. With 0 it is attention without positions, which cannot see the order.

    [learners.in-context]
    algorithm = "process"
    command = ["python3", "attention.py"]
    files = ["attention.py", "metastable_guest.py"]
    training = "none"
    settings = { temperature = 5.0, recency = 0.2 }
"""

import numpy as np

from metastable_guest import Learner, Run, serve


class Attention(Learner):
    """Softmax attention of each query to every support; the logit of a class is the logarithm of its share."""

    def start(self, run: Run) -> None:
        self.temperature = float(run.settings.get("temperature", 5.0))
        self.recency = float(run.settings.get("recency", 0.2))
        self.order_bound = self.recency != 0.0

    def predict(self, support: np.ndarray, labels: np.ndarray, query: np.ndarray, way: int) -> np.ndarray:
        keys, queries = (images.reshape(len(images), -1).astype(np.float64) for images in (support, query))
        scores = -((queries[:, None] - keys[None]) ** 2).sum(axis=2) / self.temperature
        scores += self.recency * np.arange(len(keys))
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        shares = np.stack([weights[:, labels == k].sum(axis=1) for k in range(way)], axis=1)
        return np.log(shares + 1e-12)


if __name__ == "__main__":
    serve(Attention())
