"""Prototypical Networks as `easyfsl <https://pypi.org/project/easyfsl/>`_ has them, driven from outside as its tutorial on episodic
training does."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Mapping, Sequence

from metastable_guest import Learner, Run, Task, serve

import numpy as np
import torch
from conv import conv, settle
from easyfsl.methods import PrototypicalNetworks
from torch import nn


class EasyFsl(Learner):
    version = f"easyfsl {version('easyfsl')}, torch {torch.__version__}"

    def start(self, run: Run) -> None:
        settle(run.seeds["init"], run.threads)
        blocks, width = int(run.settings["blocks"]), int(run.settings["width"])
        self.model = PrototypicalNetworks(conv(run.data["channels"], run.data["height"], blocks, width, None))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=run.budget["outer_lr"])
        self.loss = nn.CrossEntropyLoss()

    def train(self, tasks: Sequence[Task]) -> Mapping[str, float]:
        losses, right = [], []
        self.optimizer.zero_grad()
        for task in tasks:
            self.model.process_support_set(torch.from_numpy(task.support), torch.from_numpy(task.labels))
            scores = self.model(torch.from_numpy(task.query))
            labels = torch.from_numpy(task.query_labels)
            loss = self.loss(scores, labels)
            (loss / len(tasks)).backward()
            losses.append(loss.item())
            right.append((scores.argmax(dim=1) == labels).double().mean().item())
        self.optimizer.step()
        return {"loss": float(np.mean(losses)), "accuracy": float(np.mean(right))}

    @torch.no_grad()
    def predict(self, support: np.ndarray, labels: np.ndarray, query: np.ndarray, way: int) -> Any:
        self.model.process_support_set(torch.from_numpy(support), torch.from_numpy(labels))
        return self.model(torch.from_numpy(query))

    @torch.no_grad()
    def features(self, images: np.ndarray) -> Any:
        return self.model.compute_features(torch.from_numpy(images))

    def save(self, path: Path) -> None:
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


if __name__ == "__main__":
    serve(EasyFsl())
