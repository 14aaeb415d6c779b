"""Prototypical Networks (Snell, Swersky & Zemel 2017) in PyTorch, trained on the episodes that metastable gives.

    [learners.torch-protonet]
    algorithm = "process"
    command = ["python3", "torch_protonet.py"]
    files = ["torch_protonet.py", "metastable_guest.py"]
    settings = { lr = 1e-3, width = 64 }

With ``training = "own"`` it draws its episodes itself, from all images of the training classes (``fit``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

from metastable_guest import Learner, Report, Run, Task, serve

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def conv4(channels: int, width: int) -> nn.Sequential:
    """Four blocks of convolution, batch normalisation, ReLU and pooling."""
    blocks: list[nn.Module] = []
    for index in range(4):
        blocks += [nn.Conv2d(channels if index == 0 else width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
                   nn.MaxPool2d(2)]
    return nn.Sequential(*blocks, nn.Flatten())


class ProtoNet(Learner):
    """The network stays in training mode: statistics are those of the supports and queries of a task, as in the paper's code."""

    version = f"torch {torch.__version__}"

    def start(self, run: Run) -> None:
        torch.manual_seed(run.seeds["init"])
        torch.set_num_threads(run.threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        self.run = run
        self.net = conv4(run.data["channels"], int(run.settings.get("width", 64)))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=float(run.settings.get("lr", 1e-3)))

    def logits(self, support: np.ndarray, labels: np.ndarray, query: np.ndarray, way: int) -> torch.Tensor:
        embedded = self.net(torch.from_numpy(np.concatenate([support, query])))
        supports, queries = embedded[: len(support)], embedded[len(support):]
        one_hot = F.one_hot(torch.from_numpy(labels), way).to(embedded.dtype)
        means = one_hot.T @ supports / one_hot.sum(dim=0)[:, None]
        return -((queries[:, None] - means[None]) ** 2).sum(dim=2)

    def train(self, tasks: Sequence[Task]) -> Mapping[str, float]:
        self.optimizer.zero_grad()
        loss, right, count = torch.zeros(()), 0, 0
        for task in tasks:
            logits = self.logits(task.support, task.labels, task.query, int(task.labels.max()) + 1)
            labels = torch.from_numpy(task.query_labels)
            loss = loss + F.cross_entropy(logits, labels) / len(tasks)
            right, count = right + int((logits.argmax(dim=1) == labels).sum()), count + len(labels)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item(), "accuracy": right / count}

    def fit(
        self, train: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray], report: Report
    ) -> Mapping[str, float]:
        """The same steps on episodes of its own; the last state is kept, and the validation classes are not looked at."""
        draws = np.random.default_rng(self.run.seeds["task"])
        steps, batch = self.run.budget["outer_steps"], self.run.budget["meta_batch"]
        said: Mapping[str, float] = {"loss": float("nan"), "accuracy": float("nan")}
        for step in range(1, steps + 1):
            said = self.train([self.episode(draws, *train) for _ in range(batch)])
            if step % 10 == 0:
                report(step, said["loss"], said["accuracy"])
        return {"step": steps, **said}

    def episode(self, draws: np.random.Generator, images: np.ndarray, classes: np.ndarray) -> Task:
        """Some classes, and some images of each: the first are supports, the others queries."""
        way, shot, query = (self.run.episode[key] for key in ("way", "shot", "query"))
        chosen = draws.choice(np.unique(classes), way, replace=False)
        rows = np.stack([draws.choice(np.flatnonzero(classes == one), shot + query, replace=False) for one in chosen])
        labels = np.arange(way)
        return Task(images[rows[:, :shot].ravel()], labels.repeat(shot), images[rows[:, shot:].ravel()], labels.repeat(query))

    @torch.no_grad()
    def predict(self, support: np.ndarray, labels: np.ndarray, query: np.ndarray, way: int) -> Any:
        return self.logits(support, labels, query, way)

    @torch.no_grad()
    def features(self, images: np.ndarray) -> Any:
        return self.net(torch.from_numpy(images))

    def save(self, path: Path) -> None:
        torch.save({"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])


if __name__ == "__main__":
    serve(ProtoNet())
