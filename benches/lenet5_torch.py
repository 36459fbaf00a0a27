"""LeNet5 in PyTorch, as its users write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benches.harness import Runner

Array = np.ndarray[Any, Any]
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

    def __init__(
        self, weights: Mapping[str, Array], batches: Sequence[tuple[Array, Array]], dtype: str, device: str
    ) -> None:
        self.device = "cuda" if device == "cuda" else "cpu"
        # Else f32 convolutions on CUDA are computed with TF32's 10 bits.
        torch.backends.cudnn.allow_tf32 = False
        self.model = lenet5(weights, dtype, self.device)
        self.batches = [
            (
                torch.from_numpy(x).to(self.device, DTYPES[dtype]),
                torch.from_numpy(t.astype(np.int64)).to(self.device),
            )
            for x, t in batches
        ]
        self.next = 0

    def next_batch(self) -> tuple[Tensor, Tensor]:
        batch = self.batches[self.next]
        self.next = (self.next + 1) % len(self.batches)
        return batch

    def wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def facts(self) -> Mapping[str, float]:
        return {"threads": torch.get_num_threads()}


class TorchTraining(_Torch):
    """Steps of SGD with momentum."""

    def __init__(
        self,
        weights: Mapping[str, Array],
        batches: Sequence[tuple[Array, Array]],
        dtype: str,
        device: str,
        verified_rates: Sequence[float],
        learning_rate: float,
        momentum: float,
    ) -> None:
        super().__init__(weights, batches, dtype, device)
        self.verified_rates = verified_rates
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=learning_rate, momentum=momentum)

    def result(self) -> list[float]:
        """The losses of the first steps, all on the first batch."""
        (group,) = self.optimizer.param_groups
        rate, losses = group["lr"], []
        for group["lr"] in self.verified_rates:
            losses.append(float(self.step(*self.batches[0])))
        group["lr"] = rate
        return losses

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.step(*self.next_batch())

    def step(self, x: Tensor, t: Tensor) -> Tensor:
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), t)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()


class TorchInference(_Torch):
    """Logits of a batch."""

    def result(self) -> Array:
        with torch.inference_mode():
            logits: Array = self.model(self.next_batch()[0]).float().cpu().numpy()
            return logits

    def run(self, iterations: int) -> None:
        with torch.inference_mode():
            for _ in range(iterations):
                self.model(self.next_batch()[0])
