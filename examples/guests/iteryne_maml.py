"""MAML as `iteryne <https://pypi.org/project/iteryne/>`_ has it, driven from outside by the training loop of its README."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Mapping, Sequence

from metastable_guest import Learner, Run, Task, serve

import numpy as np
import torch
from conv import conv, settle
from iteryne import MAML
from torch import nn


class Iteryne(Learner):
    version = f"iteryne {version('iteryne')}, torch {torch.__version__}"
    label_bound = True

    def start(self, run: Run) -> None:
        settle(run.seeds["init"], run.threads)
        self.fixed_way = run.episode["way"]
        blocks, width = int(run.settings["blocks"]), int(run.settings["width"])
        model = conv(run.data["channels"], run.data["height"], blocks, width, self.fixed_way)
        self.maml = MAML(model, inner_lr=float(run.settings["inner_lr"]), inner_steps=int(run.settings["inner_steps"]))
        self.optimizer = torch.optim.Adam(self.maml.parameters(), lr=run.budget["outer_lr"])
        self.loss = nn.CrossEntropyLoss()

    def adapted(self, support: np.ndarray, labels: np.ndarray) -> Any:
        learner = self.maml.clone()
        for _ in range(self.maml.inner_steps):
            learner.adapt(self.loss(learner(torch.from_numpy(support)), torch.from_numpy(labels)))
        return learner

    def train(self, tasks: Sequence[Task]) -> Mapping[str, float]:
        self.optimizer.zero_grad()
        losses, right = [], []
        for task in tasks:
            logits = self.adapted(task.support, task.labels)(torch.from_numpy(task.query))
            labels = torch.from_numpy(task.query_labels)
            loss = self.loss(logits, labels)
            # As in the README: the gradients of the tasks add up, and are not averaged.
            loss.backward()
            losses.append(loss.item())
            right.append((logits.argmax(dim=1) == labels).double().mean().item())
        self.optimizer.step()
        return {"loss": float(np.mean(losses)), "accuracy": float(np.mean(right))}

    def predict(self, support: np.ndarray, labels: np.ndarray, query: np.ndarray, way: int) -> Any:
        learner = self.adapted(support, labels)
        with torch.no_grad():
            return learner(torch.from_numpy(query))

    def save(self, path: Path) -> None:
        torch.save({"maml": self.maml.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.maml.load_state_dict(state["maml"])
        self.optimizer.load_state_dict(state["optimizer"])


if __name__ == "__main__":
    serve(Iteryne())
