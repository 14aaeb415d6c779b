"""Golden values of the networks, made with PyTorch.

    python make.py OUT_DIR                 # from the root of the repository; needs torch, safetensors, cargo

For each case: writes a fresh checkpoint with our own `init` example, loads it into an nn.Module with load_state_dict
(strict), shakes the weights, and records in double precision: outputs, loss, gradient, Hessian-vector product and
running statistics. Everything goes into one safetensors file per case; its metadata says by which versions. The
checkpoint itself stays beside it with the outputs PyTorch computed from exactly those weights.
"""

import json
import pathlib
import subprocess
import sys

import safetensors
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn


class PerStepNorm(nn.Module):
    """Batch statistics at every step; a row of scale and shift for each inner step."""

    def __init__(self, n_steps, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_steps, width))
        self.bias = nn.Parameter(torch.zeros(n_steps, width))
        self.step = 0

    def forward(self, x):
        row = min(self.step, len(self.weight) - 1)
        return F.batch_norm(x, None, None, self.weight[row], self.bias[row], training=True)


class Block(nn.Module):
    def __init__(self, name, n_in, width, norm):
        super().__init__()
        bias = norm["kind"] == "none"
        if name == "mlp":
            self.linear = nn.Linear(n_in, width, bias=bias)
            batch_norm = nn.BatchNorm1d
        else:
            stride = 2 if name == "conv4-strided" else 1
            self.conv = nn.Conv2d(n_in, width, 3, stride=stride, padding=1, bias=bias)
            batch_norm = nn.BatchNorm2d
        if norm["kind"] == "per-step":
            self.norm = PerStepNorm(norm["n_steps"], width)
        elif norm["kind"] == "running":
            # Momentum 1: after one pass the running statistics are those of the batch.
            self.norm = batch_norm(width, momentum=1.0)
        elif norm["kind"] == "batch":
            self.norm = batch_norm(width, track_running_stats=False)
        self.pool = name == "conv4"

    def forward(self, x):
        x = self.linear(x) if hasattr(self, "linear") else self.conv(x)
        if hasattr(self, "norm"):
            x = self.norm(x)
        x = F.relu(x)
        return F.max_pool2d(x, 2) if self.pool else x


class Network(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.name, image = config["name"], config["image"]
        height, width, channels = image["height"], image["width"], image["channels"]
        n_in = channels * height * width if self.name == "mlp" else channels
        blocks = []
        for _ in range(config["n_blocks"]):
            blocks.append(Block(self.name, n_in, config["width"], config["norm"]))
            n_in = config["width"]
        self.blocks = nn.ModuleList(blocks)
        with torch.no_grad():
            n_features = self.features(torch.zeros(2, channels, height, width)).shape[1]
        if config["n_way"] is not None:
            self.head = nn.Linear(n_features, config["n_way"])

    def features(self, x):
        if self.name == "mlp":
            x = x.flatten(1)
        for block in self.blocks:
            x = block(x)
        return x.mean((2, 3)) if self.name == "conv4-strided" else x.flatten(1)

    def forward(self, x):
        x = self.features(x)
        return self.head(x) if hasattr(self, "head") else x


def similarity(metric, a, b):
    if metric == "euclidean":
        return -((a[:, None] - b[None]) ** 2).sum(2)
    length = lambda x: ((x**2).sum(1) + 1e-8).sqrt()
    return a @ b.T / (length(a)[:, None] * length(b)[None])


def log_probabilities(case, outputs):
    loss = case["loss"]
    if loss["kind"] == "cross-entropy":
        return F.log_softmax(outputs, 1)
    n_way, k_shot = case["n_way"], case["k_shot"]
    supports, queries = outputs[: n_way * k_shot], outputs[n_way * k_shot :]
    if loss["kind"] == "prototype":
        prototypes = supports.reshape(n_way, k_shot, -1).mean(1)
        return F.log_softmax(similarity(loss["metric"], queries, prototypes) / loss["temperature"], 1)
    attention = F.softmax(similarity(loss["metric"], queries, supports) / loss["temperature"], 1)
    return attention.reshape(len(queries), n_way, k_shot).sum(2).log()


def network(name, size=(28, 28, 1), n_blocks=4, width=4, norm=None, n_way=3):
    height, columns, channels = size
    image = {"height": height, "width": columns, "channels": channels}
    norm = norm or {"kind": "batch"}
    return {"name": name, "image": image, "n_blocks": n_blocks, "width": width, "norm": norm, "n_way": n_way}


CE = {"kind": "cross-entropy"}
PROTOTYPE = {"kind": "prototype", "metric": "euclidean", "temperature": 1.0}
PROTOTYPE_COSINE = {"kind": "prototype", "metric": "cosine", "temperature": 0.1}
MATCHING = {"kind": "matching", "metric": "euclidean", "temperature": 2.0}
MATCHING_COSINE = {"kind": "matching", "metric": "cosine", "temperature": 0.1}
RUNNING, NONE = {"kind": "running"}, {"kind": "none"}
PER_STEP = {"kind": "per-step", "n_steps": 3}


def case(config, loss=CE, step=0, stored=False):
    return {"network": config, "loss": loss, "step": step, "stored": stored, "n_way": 3, "k_shot": 2}


CASES = {
    "conv4": case(network("conv4")),
    "conv4-none": case(network("conv4", norm=NONE)),
    "conv4-per-step": case(network("conv4", norm=PER_STEP), step=1),
    "conv4-colour": case(network("conv4", size=(10, 13, 3), n_blocks=2)),
    "conv4-prototype": case(network("conv4", n_way=None), PROTOTYPE),
    "conv4-matching-cosine": case(network("conv4", n_way=None), MATCHING_COSINE),
    "strided-running": case(network("conv4-strided", norm=RUNNING)),
    "strided-stored": case(network("conv4-strided", norm=RUNNING), stored=True),
    "strided-matching": case(network("conv4-strided", size=(9, 12, 3), n_blocks=2, n_way=None), MATCHING),
    "mlp": case(network("mlp", size=(6, 5, 3), n_blocks=2, width=8)),
    "mlp-running": case(network("mlp", size=(7, 7, 1), n_blocks=2, width=8, norm=RUNNING)),
    "mlp-prototype-cosine": case(network("mlp", size=(6, 6, 1), n_blocks=2, width=8, n_way=None), PROTOTYPE_COSINE),
}


def make(name, spec, out):
    checkpoint = out / f"{name}.checkpoint.safetensors"
    init = ["cargo", "run", "--quiet", "-p", "metastable-models", "--example", "init", "--"]
    subprocess.run(init + [str(checkpoint), "7", json.dumps(spec["network"])], check=True)
    model = Network(spec["network"])
    # Strict: the names and shapes of ours are PyTorch's, nothing is renamed, transposed or left over.
    model.load_state_dict(load_file(checkpoint), strict=True)
    model.double()
    generator = torch.Generator().manual_seed(1)
    image = spec["network"]["image"]
    metric = spec["loss"]["kind"] != "cross-entropy"
    labels = torch.tensor([0, 1, 2, 1])
    n_images = len(labels) + (spec["n_way"] * spec["k_shot"] if metric else 0)
    shape = (n_images, image["height"], image["width"], image["channels"])
    # Bytes, with blank regions as in drawings; 256 is a power of two, so that the division is exact everywhere.
    pixels = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    pixels *= (torch.rand(shape, generator=generator) < 0.3) & (torch.arange(shape[2]) > shape[2] // 3)[:, None]
    x = (pixels.double() / 256).permute(0, 3, 1, 2)

    model.train()
    for module in model.modules():
        if isinstance(module, PerStepNorm):
            module.step = spec["step"]
    tensors = {"images": pixels, "labels": labels}
    tensors["checkpoint_outputs"] = model(x).detach()

    shake = lambda tensor, scale: scale * (torch.rand(tensor.shape, generator=generator).double() - 0.5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += shake(parameter, 0.4)
        for key, buffer in model.named_buffers():
            if key.endswith("running_mean"):
                buffer.copy_(shake(buffer, 0.5))
            elif key.endswith("running_var"):
                buffer.copy_(1 + shake(buffer, 0.5))
    buffers = {k: v.clone() for k, v in model.named_buffers() if not k.endswith("num_batches_tracked")}
    if spec["stored"]:
        model.eval()
        tensors |= {f"stored.{k}": v for k, v in buffers.items()}
    parameters = dict(model.named_parameters())
    outputs = model(x)
    log_p = log_probabilities(spec, outputs)
    loss = F.nll_loss(log_p, labels)
    gradient = torch.autograd.grad(loss, parameters.values(), create_graph=True)
    directions = [shake(p, 2.0) for p in parameters.values()]
    slope = sum((g * v).sum() for g, v in zip(gradient, directions))
    product = torch.autograd.grad(slope, parameters.values())
    for key, p, g, v, h in zip(parameters, parameters.values(), gradient, directions, product):
        tensors |= {f"params.{key}": p, f"gradient.{key}": g, f"direction.{key}": v, f"product.{key}": h}
    if not spec["stored"]:
        after = {k: v for k, v in model.named_buffers() if not k.endswith("num_batches_tracked")}
        tensors |= {f"statistics.{k}": v for k, v in after.items()}
    tensors |= {"outputs": outputs, "log_probabilities": log_p, "loss": loss.reshape(1)}
    made_by = (
        f"crates/models/tests/golden/make.py, torch {torch.__version__}, safetensors {safetensors.__version__}, "
        f"Python {sys.version.split()[0]}, float64, CPU"
    )
    # One entry: safetensors writes several in an order that differs from run to run.
    metadata = {"case": json.dumps(spec | {"made_by": made_by})}
    tensors = {k: v.detach().contiguous() for k, v in tensors.items()}
    save_file(tensors, out / f"{name}.safetensors", metadata)


if __name__ == "__main__":
    torch.set_num_threads(1)
    out = pathlib.Path(sys.argv[1])
    for name, spec in CASES.items():
        make(name, spec, out)
        print(name)
