"""A small conv-4 trained "elsewhere", and the log-probabilities of a prototypical network with it, in numpy alone.

Three blocks conv(bias) - batch norm - relu - max pool of width 4 on 8x8 images in three channels, under the names of a
`nn.Sequential`, with biases, running statistics and inputs (x - mean) / std in BGR. Writes import.safetensors and import.json:
the images (supports, then queries; RGB, in [0, 1]) and log softmax of minus the squared distances to the prototypes, once with
running statistics (model.eval()), once with those of the batch (model.train()).
"""
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HERE = Path(__file__).parent
rng = np.random.default_rng(5)
MEAN, STD = np.array([0.3, 0.45, 0.6]), np.array([0.2, 0.25, 0.3])  # of B, G, R
WAY, SHOT, QUERY, WIDTH, SIDE = 2, 2, 2, 4, 8

state = {}
for block, inputs in enumerate([3, WIDTH, WIDTH]):
    state[f"features.{block}.0.weight"] = rng.normal(0, 0.4, (WIDTH, inputs, 3, 3))
    state[f"features.{block}.0.bias"] = rng.normal(0, 0.5, WIDTH)
    state[f"features.{block}.1.weight"] = rng.uniform(0.5, 1.5, WIDTH)
    state[f"features.{block}.1.bias"] = rng.normal(0, 0.3, WIDTH)
    state[f"features.{block}.1.running_mean"] = rng.normal(0, 0.5, WIDTH)
    state[f"features.{block}.1.running_var"] = rng.uniform(0.5, 2, WIDTH)
state["fc.weight"] = rng.normal(0, 1, (64, WIDTH))
state = {name: value.astype(np.float32) for name, value in state.items()}
tracked = {f"features.{block}.1.num_batches_tracked": np.array(7) for block in range(3)}
save_file({**state, **tracked}, HERE / "import.safetensors")

# A byte a value, as data sets have it.
images = rng.integers(0, 256, (WAY * (SHOT + QUERY), SIDE, SIDE, 3)) / 255


def features(images, running):
    x = ((images[..., ::-1] - MEAN) / STD).transpose(0, 3, 1, 2)
    for block in range(3):
        get = lambda name: state[f"features.{block}.{name}"].astype(np.float64)
        n, _, side, _ = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        y = np.zeros((n, WIDTH, side, side))
        for dy in range(3):
            for dx in range(3):
                window = padded[:, :, dy : dy + side, dx : dx + side]
                y += np.einsum("oi,nihw->nohw", get("0.weight")[:, :, dy, dx], window)
        y += get("0.bias")[:, None, None]
        mean = get("1.running_mean") if running else y.mean((0, 2, 3))
        variance = get("1.running_var") if running else y.var((0, 2, 3))
        column = lambda v: v[:, None, None]
        y = (y - column(mean)) / np.sqrt(column(variance) + 1e-5) * column(get("1.weight")) + column(get("1.bias"))
        y = np.maximum(y, 0)
        x = y.reshape(n, WIDTH, side // 2, 2, side // 2, 2).max((3, 5))
    return x.reshape(len(images), -1)


def log_probabilities(running):
    f = features(images, running)
    prototypes = f[: WAY * SHOT].reshape(WAY, SHOT, -1).mean(1)
    logits = -((f[WAY * SHOT :, None] - prototypes) ** 2).sum(2)
    logits -= logits.max(1, keepdims=True)
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).ravel().tolist()


golden = {
    "images": images.ravel().tolist(),
    "running": log_probabilities(True),
    "batch": log_probabilities(False),
}
(HERE / "import.json").write_text(json.dumps(golden))
