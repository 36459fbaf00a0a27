"""PyTorch: LeNet5 and products, eager and compiled, on the CPU and on CUDA. Run by ``krnlpy bench --peer torch``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from autograph.bench import models, networks
from krnlpy import Device, scalar_type
from krnlpy.bench.peers import Ready, serve
from krnlpy.errors import MissingFeatures

_DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


class _Torch(Ready):
    """Work on a device of PyTorch's."""

    def __init__(self, device: str) -> None:
        self.device = device

    def wait(self) -> None:
        """Returns when CUDA is done."""
        if self.device == "cuda":
            torch.cuda.synchronize()


class _Product(_Torch):
    def __init__(self, n: int, dtype: str, device: str, multiply: Callable[..., Any]) -> None:
        super().__init__(device)
        rng = np.random.default_rng(0)
        self.multiply = multiply
        self.dtype, self.small = _DTYPES[dtype], [rng.integers(-1, 1, (n, n), endpoint=True) for _ in range(2)]
        arrays = [rng.standard_normal((n, n), np.float32) for _ in range(2)]
        self.x, self.y = (torch.from_numpy(array).to(device, self.dtype) for array in arrays)

    def verify(self) -> None:
        """With whole numbers, whose sums are exact."""
        x, y = (torch.from_numpy(array.astype(np.float32)) for array in self.small)
        found = self.multiply(x.to(self.device, self.dtype), y.to(self.device, self.dtype)).cpu()
        if not torch.equal(found, (x @ y).to(self.dtype)):
            raise AssertionError("the product of whole numbers is not exact")

    def run(self, iterations: int) -> None:
        """So many products."""
        for _ in range(iterations):
            self.multiply(self.x, self.y)


class _LeNet5(_Torch):
    def __init__(self, batch: int, dtype: str, is_training: bool, device: str, made: Callable[..., Any]) -> None:
        super().__init__(device)
        self.network, self.dtype, self.is_training = networks.lenet5(batch), dtype, is_training
        self.model = _lenet5(dtype).to(device, _DTYPES[dtype]).train(is_training)
        inputs, classes = self.network.batch()
        # As autograph gets them: rounded to the type.
        self.x = torch.from_numpy(inputs).to(device, _DTYPES[dtype])
        self.t = torch.from_numpy(classes.astype(np.int64)).to(device)
        self.loss = made(lambda x, t: nn.functional.cross_entropy(self.model(x), t))
        self.infer = made(self.model)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4, momentum=0.9)

    def step(self) -> Any:
        """One of training; returns the loss before it."""
        self.optimizer.zero_grad()
        loss = self.loss(self.x, self.t)
        loss.backward()
        self.optimizer.step()
        return loss

    def verify(self) -> None:
        """Beside the same network in f64: the loss before and after a step, or the logits."""
        if self.is_training:
            before = [parameter.detach().clone() for parameter in self.model.parameters()]
            group = self.optimizer.param_groups[0]
            group["lr"], group["momentum"] = networks.first_rate(self.network), 0.0
            found = np.array([self.step().item(), self.loss(self.x, self.t).item()])
            group["lr"], group["momentum"] = 1e-4, 0.9
            with torch.no_grad():
                for parameter, value in zip(self.model.parameters(), before, strict=True):
                    parameter.copy_(value)
        else:
            with torch.no_grad():
                found = self.infer(self.x).float().cpu().numpy()
        networks.judge(found, self.network, scalar_type(self.dtype), self.is_training)

    def run(self, iterations: int) -> None:
        """So many steps, or batches."""
        if self.is_training:
            for _ in range(iterations):
                self.step()
            return
        with torch.no_grad():
            for _ in range(iterations):
                self.infer(self.x)


def _lenet5(dtype: str) -> nn.Sequential:
    """The network with the weights that autograph's starts with."""
    model = nn.Sequential(
        *(nn.Conv2d(1, 6, 5, bias=False), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(256, 128, bias=False), nn.ReLU(), nn.Linear(128, 84, bias=False), nn.ReLU(), nn.Linear(84, 10)),
    )
    ours = [p.numpy().astype(np.float32) for p in models.lenet5(Device.host(), dtype).parameters()]
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), ours, strict=True):
            parameter.copy_(torch.from_numpy(value.T.copy() if value.ndim == 2 else value))
    return model


def _open(way: str, benchmark: str, configuration: dict[str, Any]) -> Ready:
    """Work of a benchmark. ``way`` is ``eager`` or ``compiled``, and where: ``eager on cpu``."""
    how, _, device = way.partition(" on ")
    made: Callable[..., Any] = (lambda f: torch.compile(f, dynamic=False)) if how == "compiled" else lambda f: f
    dtype = str(configuration["dtype"])
    if benchmark == "lenet5":
        return _LeNet5(int(configuration["batch"]), dtype, configuration["pass"] == "training", device, made)
    if benchmark == "matmul":
        return _Product(int(str(configuration["shape"]).partition(" ")[0]), dtype, device, made(torch.matmul))
    raise MissingFeatures(f"there is no {benchmark} of PyTorch's here")


def main() -> None:
    """Says in which ways PyTorch can be used, and does what it is asked for."""
    torch.backends.cudnn.allow_tf32 = False  # else f32 convolutions are computed with 10 bits
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    ways = [f"{how} on {device}" for device in devices for how in ("eager", "compiled")]
    serve(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads", ways, _open)


if __name__ == "__main__":
    main()
