"""MAML (Finn, Abbeel & Levine 2017) in PyTorch by ``torch.func``, on the episodes that metastable gives.

    [learners.torch-maml]
    algorithm = "process"
    command = ["python3", "torch_maml.py"]
    files = ["torch_maml.py", "metastable_guest.py"]
    settings = { lr = 1e-3, inner_lr = 0.4, inner_steps = 1, first_order = false, width = 64, blocks = 4 }
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

from metastable_guest import Learner, Run, Task, serve

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad
from torch.nn import functional as F

Params = dict[str, torch.Tensor]


class Norm(nn.Module):
    """Batch normalisation by the statistics of the present batch, without running averages."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True)


def network(channels: int, image: tuple[int, int], n_blocks: int, width: int, way: int) -> nn.Sequential:
    """Some blocks, each of which halves the image, and a head of ``way`` outputs."""
    blocks: list[nn.Module] = []
    for index in range(n_blocks):
        blocks += [nn.Conv2d(channels if index == 0 else width, width, 3, padding=1, bias=False), Norm(width), nn.ReLU(),
                   nn.MaxPool2d(2)]
    with torch.no_grad():
        body = nn.Sequential(*blocks, nn.Flatten())
        n_features = body(torch.zeros(2, channels, *image)).shape[1]
    return nn.Sequential(body, nn.Linear(n_features, way))


class Maml(Learner):
    """A head bound to its classes: labels matter, and the number of classes is that of the training."""

    version = f"torch {torch.__version__}"
    label_bound = True

    def start(self, run: Run) -> None:
        torch.manual_seed(run.seeds["init"])
        torch.set_num_threads(run.threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        settings = run.settings
        self.inner_lr = float(settings.get("inner_lr", 0.4))
        self.inner_steps = int(settings.get("inner_steps", 1))
        self.first_order = bool(settings.get("first_order", False))
        self.fixed_way = run.episode["way"]
        image = (run.data["height"], run.data["width"])
        n_blocks, width = int(settings.get("blocks", 4)), int(settings.get("width", 64))
        self.net = network(run.data["channels"], image, n_blocks, width, self.fixed_way)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=float(settings.get("lr", 1e-3)))

    def loss(self, params: Params, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(functional_call(self.net, params, (images,)), labels)

    def adapted(self, params: Params, support: np.ndarray, labels: np.ndarray) -> Params:
        images, targets = torch.from_numpy(support), torch.from_numpy(labels)
        for _ in range(self.inner_steps):
            gradient = grad(self.loss)(params, images, targets)
            if self.first_order:
                gradient = {name: value.detach() for name, value in gradient.items()}
            params = {name: params[name] - self.inner_lr * gradient[name] for name in params}
        return params

    def train(self, tasks: Sequence[Task]) -> Mapping[str, float]:
        self.optimizer.zero_grad()
        params = dict(self.net.named_parameters())
        loss, right, count = torch.zeros(()), 0, 0
        for task in tasks:
            adapted = self.adapted(params, task.support, task.labels)
            logits = functional_call(self.net, adapted, (torch.from_numpy(task.query),))
            labels = torch.from_numpy(task.query_labels)
            loss = loss + F.cross_entropy(logits, labels) / len(tasks)
            right, count = right + int((logits.argmax(dim=1) == labels).sum()), count + len(labels)
        loss.backward()
        norm = torch.stack([p.grad.norm() for p in self.net.parameters()]).norm()
        self.optimizer.step()
        return {"loss": loss.item(), "accuracy": right / count, "gradient_norm": norm.item()}

    def predict(self, support: np.ndarray, labels: np.ndarray, query: np.ndarray, way: int) -> Any:
        params = {name: value.detach() for name, value in self.net.named_parameters()}
        adapted = self.adapted(params, support, labels)
        return functional_call(self.net, adapted, (torch.from_numpy(query),))

    def save(self, path: Path) -> None:
        torch.save({"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])


if __name__ == "__main__":
    serve(Maml())
