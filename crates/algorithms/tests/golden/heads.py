"""The new heads of Baseline and Baseline++ after 100 steps, by PyTorch: SGD(lr=0.01, momentum=0.9, dampening=0.9, weight_decay=0.001), batches of 4.

    python3 heads.py    # prints what src/head_descent.rs has as GOLDEN
"""
import math

import torch

torch.set_default_dtype(torch.float64)
N_WAY, K, E, SCALE = 3, 2, 4, 2.0
n = N_WAY * K
x = torch.tensor([[1.0 + math.sin(1.0 + 7.0 * i + 3.0 * j) for j in range(E)] for i in range(n)])
y = torch.tensor([i // K for i in range(n)])
# Classes take turns, then the images of each.
turns = [k + K * c for k in range(K) for c in range(N_WAY)]


def batch(step):
    return [turns[(step * 4 + at) % n] for at in range(4)]


def trained(parameters, logits):
    sgd = torch.optim.SGD(parameters, lr=0.01, momentum=0.9, dampening=0.9, weight_decay=0.001)
    for step in range(100):
        rows = batch(step)
        sgd.zero_grad()
        torch.nn.functional.cross_entropy(logits(x[rows]), y[rows]).backward()
        sgd.step()


w, b = torch.zeros(N_WAY, E, requires_grad=True), torch.zeros(N_WAY, requires_grad=True)
trained([w, b], lambda f: f @ w.T + b)
print("linear", [repr(v) for v in torch.cat([w.flatten(), b]).tolist()])


def unit(rows):
    return rows / (rows.square().sum(1, keepdim=True) + 1e-8).sqrt()


start = torch.stack([unit(x)[y == c].mean(0) for c in range(N_WAY)])
v = start.clone().requires_grad_(True)
trained([v], lambda f: SCALE * unit(f) @ unit(v).T)
print("cosine", [repr(value) for value in v.flatten().tolist()])
