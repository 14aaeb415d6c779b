"""The network that the guests of this folder share: that of our own learners (docs/python.md), in PyTorch."""

from __future__ import annotations

import torch
from torch import nn


def conv(channels: int, side: int, blocks: int, width: int, outputs: int | None) -> nn.Sequential:
    """Blocks of convolution, batch normalisation by the batch's own statistics, ReLU and pooling; a head if it has ``outputs``."""
    layers: list[nn.Module] = []
    for block in range(blocks):
        layers += [
            nn.Conv2d(width if block else channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width, track_running_stats=False),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    body = nn.Sequential(*layers, nn.Flatten())
    if outputs is None:
        return body
    n_features = width * (side // 2**blocks) ** 2
    return nn.Sequential(body, nn.Linear(n_features, outputs))


def settle(run_seed: int, threads: int) -> None:
    """Draws of the weights from the seed of the run, sums in one order."""
    torch.manual_seed(run_seed)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
