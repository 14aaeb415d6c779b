"""A frozen encoder with nearest class means on top (SimpleShot, Wang et al. 2019): what a pretrained model is worth as it is.

Put your own encoder in ``start``: any module of torch, timm or torchvision that turns images into vectors.

    [learners.encoder]
    algorithm = "process"
    command = ["python3", "torch_encoder.py"]
    files = ["torch_encoder.py", "metastable_guest.py"]
    training = "none"
    settings = { weights = "encoder.pt" }      # a TorchScript file; a random encoder without it
"""

from __future__ import annotations

from typing import Any

from metastable_guest import Learner, Run, serve

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Encoder(Learner):
    """Features divided by their length; logits are minus squared distances to class means."""

    version = f"torch {torch.__version__}"

    def start(self, run: Run) -> None:
        torch.manual_seed(run.seeds["init"])
        torch.set_num_threads(run.threads)
        path = run.settings.get("weights")
        if path:
            self.net = torch.jit.load(str(path)).eval()
        else:
            channels = run.data["channels"]
            self.net = nn.Sequential(nn.Conv2d(channels, 64, 5, stride=2), nn.ReLU(), nn.Conv2d(64, 64, 5, stride=2), nn.ReLU(),
                                     nn.AdaptiveAvgPool2d(3), nn.Flatten()).eval()

    @torch.no_grad()
    def features(self, images: np.ndarray) -> Any:
        return F.normalize(self.net(torch.from_numpy(images)), dim=1)

    def predict(self, support: np.ndarray, labels: np.ndarray, query: np.ndarray, way: int) -> Any:
        supports, queries = self.features(support), self.features(query)
        means = torch.stack([supports[labels == k].mean(dim=0) for k in range(way)])
        return -((queries[:, None] - means[None]) ** 2).sum(dim=2)


if __name__ == "__main__":
    serve(Encoder())
