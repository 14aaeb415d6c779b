"""Prototypical Networks in JAX, without any other library of it.

    [learners.jax-protonet]
    algorithm = "process"
    command = ["python3", "jax_protonet.py"]
    files = ["jax_protonet.py", "metastable_guest.py"]
    settings = { lr = 0.05, width = 32 }
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Mapping, Sequence

from metastable_guest import Learner, Run, Task, serve

import jax
import jax.numpy as jnp
import numpy as np


def embed(params: Sequence[jax.Array], images: jax.Array) -> jax.Array:
    """Four blocks of convolution, normalisation by the batch, ReLU and pooling."""
    x = images
    for kernel in params:
        x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))
        mean, variance = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
        x = jax.nn.relu((x - mean) / jnp.sqrt(variance + 1e-5))
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    return x.reshape(len(images), -1)


@partial(jax.jit, static_argnames="way")
def logits(params: Sequence[jax.Array], support: jax.Array, labels: jax.Array, query: jax.Array, way: int) -> jax.Array:
    rows = embed(params, jnp.concatenate([support, query]))
    supports, queries = rows[: len(support)], rows[len(support):]
    one_hot = jax.nn.one_hot(labels, way)
    means = one_hot.T @ supports / one_hot.sum(axis=0)[:, None]
    return -((queries[:, None] - means[None]) ** 2).sum(axis=2)


@partial(jax.jit, static_argnames="way")
def step(params: Any, support: Any, labels: Any, query: Any, targets: Any, way: int) -> Any:
    def loss(params: Any) -> Any:
        scores = logits(params, support, labels, query, way)
        nll = -jnp.take_along_axis(jax.nn.log_softmax(scores), targets[:, None], axis=1).mean()
        return nll, (scores.argmax(axis=1) == targets).mean()

    return jax.value_and_grad(loss, has_aux=True)(params)


class ProtoNet(Learner):
    """Plain gradient descent; the state is the list of kernels."""

    version = f"jax {jax.__version__}"

    def start(self, run: Run) -> None:
        self.lr, width = float(run.settings.get("lr", 0.05)), int(run.settings.get("width", 32))
        key, self.params = jax.random.key(run.seeds["init"]), []
        for index in range(4):
            key, own = jax.random.split(key)
            shape = (width, run.data["channels"] if index == 0 else width, 3, 3)
            self.params.append(jax.random.normal(own, shape) * (2 / (shape[1] * 9)) ** 0.5)

    def train(self, tasks: Sequence[Task]) -> Mapping[str, float]:
        found = [
            step(self.params, t.support, t.labels, t.query, t.query_labels, int(t.labels.max()) + 1) for t in tasks
        ]
        mean = lambda values: sum(values) / len(tasks)  # noqa: E731
        gradients = [gradient for _, gradient in found]
        self.params = [p - self.lr * mean([g[i] for g in gradients]) for i, p in enumerate(self.params)]
        return {"loss": float(mean([loss for (loss, _), _ in found])), "accuracy": float(mean([a for (_, a), _ in found]))}

    def predict(self, support: np.ndarray, labels: np.ndarray, query: np.ndarray, way: int) -> np.ndarray:
        return np.asarray(logits(self.params, support, labels, query, way))

    def features(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(embed(self.params, images))

    def save(self, path: Path) -> None:
        np.savez(path.open("wb"), *[np.asarray(p) for p in self.params])

    def load(self, path: Path) -> None:
        with np.load(path) as file:
            self.params = [jnp.asarray(file[name]) for name in file.files]


if __name__ == "__main__":
    serve(ProtoNet())
