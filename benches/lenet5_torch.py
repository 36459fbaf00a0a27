"""LeNet5 in PyTorch, as its users write it, in each of the ways that PyTorch has to make it fast.

- ``eager``: as it stands.
- ``channels_last``: weights and images with the channels side by side.
- ``compile``: through ``torch.compile``, which writes C++ for the CPU and calls a compiler.
- ``compile + channels_last``: both.
- ``compile + freezing``: compiled with the weights as constants.
- ``optimize_for_inference``: traced by ``torch.jit``, with the weights frozen and laid out for oneDNN.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benches.harness import Runner, Unavailable
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


@contextmanager
def making_ready(way: str) -> Iterator[None]:
    """Whatever keeps PyTorch from making a model ready in this way is why this contender can't run."""
    try:
        with warnings.catch_warnings():
            # Of torch.jit, in favour of torch.compile: those who use it still do, and torch.compile is one of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    except Exception as error:
        # torch.compile says in the second line what was wrong, and from the next paragraph on how to be told more.
        about = " ".join(str(error).strip().partition("\n\n")[0].split())
        raise Unavailable(f"{way}: {type(error).__name__}: {about}") from error


def compiled(work: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """The work through ``torch.compile``, in one piece and for these shapes alone."""
    import torch._dynamo
    import torch._inductor.config

    # Compiles in this process: idle helpers would be in the way of what is timed.
    torch._inductor.config.compile_threads = 1
    # All models share the code of nn.Sequential, and each takes one of its places.
    torch._dynamo.config.recompile_limit = 64
    return torch.compile(work, fullgraph=True, dynamic=False, options=options or None)


class _Torch(Runner):
    """A model and its batches on a device, to be used in one of the ways."""

    def __init__(self, work: Work, device: str, way: str) -> None:
        self.device = "cuda" if device == "cuda" else "cpu"
        # Else f32 convolutions on CUDA are computed with TF32's 10 bits.
        torch.backends.cudnn.allow_tf32 = False
        layout = torch.channels_last if "channels_last" in way else torch.contiguous_format
        self.model = lenet5(work.weights, work.dtype, self.device).to(memory_format=layout)  # type: ignore[call-overload]
        self.batches = [
            (
                torch.from_numpy(x).to(self.device, DTYPES[work.dtype], memory_format=layout),
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

    def __init__(self, work: Work, device: str, way: str) -> None:
        super().__init__(work, device, way)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=VERIFIED_RATE, momentum=MOMENTUM)
        self.loss: Callable[[Tensor, Tensor], Tensor] = self._loss
        if way.startswith("compile"):
            with making_ready(way):
                self.loss = compiled(self._loss)
                self.loss(*self.batches[0]).backward()

    def _loss(self, x: Tensor, t: Tensor) -> Tensor:
        return nn.functional.cross_entropy(self.model(x), t)

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
        loss = self.loss(x, t)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()


class Inference(_Torch):
    """Logits of a batch."""

    def __init__(self, work: Work, device: str, way: str) -> None:
        super().__init__(work, device, way)
        self.predict: Callable[[Tensor], Tensor] = self.model.eval()
        x, _ = self.batches[0]
        with making_ready(way), torch.no_grad():
            if way.startswith("compile"):
                options = {"freezing": True} if "freezing" in way else {}
                self.predict = compiled(self.model, **options)
                self.predict(x)
            elif way == "optimize_for_inference":
                traced = torch.jit.trace(self.model, x)  # type: ignore[no-untyped-call]
                self.predict = torch.jit.optimize_for_inference(traced)
                for _ in range(3):  # it specializes in the first calls
                    self.predict(x)

    def result(self) -> Array:
        with torch.no_grad():
            logits: Array = self.predict(self.batches[0][0]).float().cpu().numpy()
            return logits

    def run(self, iterations: int) -> None:
        # Not inference_mode(): code compiled in one mode is compiled again for the other.
        with torch.no_grad():
            for x, _ in islice(self.turn, iterations):
                self.predict(x)
