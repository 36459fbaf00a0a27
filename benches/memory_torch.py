"""PyTorch's part of the benchmark ``memory``: ``python -m benches.memory_torch MODEL FILE WAY``."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benches.memory_work import Step, Training
from benches.peer_process import serve

RATE = 1e-3
HEADS = 6


def lenet5(p: dict[str, Any], x: Any) -> Any:
    """Logits; dense weights are ``[in, out]``."""
    for name in ("conv1", "conv2"):
        x = functional.max_pool2d(functional.relu(functional.conv2d(x, p[f"{name}.weight"])), 2)
    x = x.flatten(1)
    for name in ("dense1", "dense2"):
        x = functional.relu(x @ p[f"{name}.weight"])
    return x @ p["dense3.weight"] + p["dense3.bias"]


def transformer(p: dict[str, Any], text: Any) -> Any:
    """Logits of what comes next; the names are those of autograph's Sequential."""
    layers = sorted({int(name.split(".")[1]) for name in p})
    width = p[f"layers.{layers[-2]}.weight"].shape[0]

    def norm(x: Any, name: str) -> Any:
        return functional.layer_norm(x, (width,), p[f"{name}.weight"], p[f"{name}.bias"])

    def dense(x: Any, name: str) -> Any:
        y = x @ p[f"{name}.weight"]
        return y + p[f"{name}.bias"] if f"{name}.bias" in p else y

    x = functional.embedding(text, p["layers.0.weight"]) + p["layers.1.weight"]
    for layer in layers[2:-2]:
        name = f"layers.{layer}"
        y = norm(x, f"{name}.norm1")
        parts = [dense(y, f"{name}.attention.{part}") for part in ("query", "key", "value")]
        heads = [part.reshape(*text.shape, HEADS, width // HEADS).transpose(1, 2) for part in parts]
        query, key, value = heads
        attended = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + dense(attended.transpose(1, 2).reshape(x.shape), f"{name}.attention.out")
        x = x + dense(functional.gelu(dense(norm(x, f"{name}.norm2"), f"{name}.wide")), f"{name}.narrow")
    return dense(norm(x, f"layers.{layers[-2]}"), f"layers.{layers[-1]}")


def open_step(name: str, weights: dict[str, Any], batch: dict[str, Any], way: str) -> Step:
    """A step of training on the CPU."""
    parameters = {key: nn.Parameter(torch.from_numpy(array.copy())) for key, array in weights.items()}
    x = torch.from_numpy(batch["x"].copy())
    target = torch.from_numpy(batch["target"].copy()).long().flatten()
    optimizer = torch.optim.Adam(parameters.values(), RATE)
    model = lenet5 if name == "LeNet5" else transformer

    def loss_of(x: Any, target: Any) -> Any:
        logits = model(parameters, x)
        return functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), target)

    function = torch.compile(loss_of, dynamic=False) if way == "compile" else loss_of

    def step() -> float:
        optimizer.zero_grad()
        loss = function(x, target)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


if __name__ == "__main__":
    serve(lambda: Training(sys.argv[2], partial(open_step, sys.argv[1]), sys.argv[3]))
