"""LeNet5 in PyTorch, as its users write it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice

import numpy as np
import torch
from torch import Tensor, nn

from benches.harness import Runner
from benches.lenet5_work import LEARNING_RATE, MOMENTUM, VERIFIED_RATE, Array, Work

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def lenet5(weights: Mapping[str, Array], dtype: str, device: str) -> nn.Sequential:
    """The model with the weights given (dense ones as ``[in, out]``)."""
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 128, bias=False),
        nn.ReLU(),
        nn.Linear(128, 84, bias=False),
        nn.ReLU(),
        nn.Linear(84, 10),
    )
    parameters = [w.T if name.startswith("dense") else w for name, w in weights.items()]
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), parameters, strict=True):
            parameter.copy_(torch.from_numpy(np.array(value, np.float32)))
    return model.to(device, DTYPES[dtype])


class _Torch(Runner):
    """A model and its batches on a device."""

    def __init__(self, work: Work, device: str) -> None:
        self.device = "cuda" if device == "cuda" else "cpu"
        # Else f32 convolutions on CUDA are computed with TF32's 10 bits.
        torch.backends.cudnn.allow_tf32 = False
        self.model = lenet5(work.weights, work.dtype, self.device)
        self.batches = [
            (
                torch.from_numpy(x).to(self.device, DTYPES[work.dtype]),
                torch.from_numpy(t.astype(np.int64)).to(self.device),
            )
            for x, t in work.batches
        ]
        self.turn, self.verified_steps = cycle(self.batches), work.verified_steps

    def wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def facts(self) -> Mapping[str, float]:
        return {"threads": torch.get_num_threads()}


class Training(_Torch):
    """Steps of SGD with momentum."""

    def __init__(self, work: Work, device: str) -> None:
        super().__init__(work, device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=VERIFIED_RATE, momentum=MOMENTUM)

    def result(self) -> list[float]:
        """The losses of the first steps, all on the first batch."""
        losses = [float(self.step(*self.batches[0])) for _ in range(self.verified_steps)]
        (group,) = self.optimizer.param_groups
        group["lr"] = LEARNING_RATE
        return losses

    def run(self, iterations: int) -> None:
        for x, t in islice(self.turn, iterations):
            self.step(x, t)

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), t)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()


class Inference(_Torch):
    """Logits of a batch."""

    def result(self) -> Array:
        with torch.inference_mode():
            logits: Array = self.model(self.batches[0][0]).float().cpu().numpy()
            return logits

    def run(self, iterations: int) -> None:
        with torch.inference_mode():
            for x, _ in islice(self.turn, iterations):
                self.model(x)
