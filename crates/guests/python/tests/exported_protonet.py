"""A ProtoNet of metastable's, evaluated by numpy from its checkpoint: the other half of a test (crates/metastable/tests/it/guests.rs).

``settings = { weights = "best.safetensors", temperature = 64.0 }``. Everything is computed in double precision, so that what differs is the rounding
of the program that is tested.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from metastable_guest import Learner, Run, serve  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402


def conv(images: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """3 x 3, padding 1, by a sum over the nine places."""
    n, _, height, width = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros((n, len(kernel), height, width))
    for row in range(3):
        for column in range(3):
            window = padded[:, :, row : row + height, column : column + width]
            out += np.einsum("ncij,oc->noij", window, kernel[:, :, row, column])
    return out


def block(images: np.ndarray, kernel: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Convolution, batch normalisation, ReLU, 2 x 2 maximum."""
    x = conv(images, kernel)
    mean, variance = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    x = (x - mean) / np.sqrt(variance + 1e-5) * scale[None, :, None, None] + shift[None, :, None, None]
    x = np.maximum(x, 0)
    n, channels, height, width = x.shape
    x = x[:, :, : height // 2 * 2, : width // 2 * 2]
    return x.reshape(n, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))


class Exported(Learner):
    def start(self, run: Run) -> None:
        path = str(run.settings["weights"])
        with open(path, "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        config = json.loads(header["__metadata__"]["metastable.network"])
        tensors = {name: values.astype(np.float64) for name, values in load_file(path).items()}
        self.temperature = float(run.settings["temperature"])
        names = ("conv.weight", "norm.weight", "norm.bias")
        self.blocks = [[tensors[f"blocks.{i}.{name}"] for name in names] for i in range(config["n_blocks"])]

    def predict(self, support: np.ndarray, labels: np.ndarray, query: np.ndarray, way: int) -> np.ndarray:
        x = np.concatenate([support, query]).astype(np.float64)
        for weights in self.blocks:
            x = block(x, *weights)
        rows = x.reshape(len(x), -1)
        supports, queries = rows[: len(support)], rows[len(support) :]
        means = np.stack([supports[labels == k].mean(axis=0) for k in range(way)])
        return -((queries[:, None] - means[None]) ** 2).sum(axis=2) / self.temperature


if __name__ == "__main__":
    serve(Exported())
