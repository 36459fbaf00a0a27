"""LeNet5 in tinygrad, as its users write it, in a process: ``python -m benches.lenet5_tinygrad WHAT FILE``."""

from __future__ import annotations

import os
import sys
from itertools import cycle, islice
from typing import Any

import numpy as np

from benches.lenet5_work import LEARNING_RATE, MOMENTUM, VERIFIED_RATE, Array, load
from benches.peer_process import serve


class _Tinygrad:
    """A model and its batches on the CPU."""

    def __init__(self, path: str) -> None:
        os.environ["DEV"] = "CPU"  # read when it is imported
        import tinygrad
        from tinygrad import Device, Tensor, dtypes

        work = load(path)
        self.tinygrad, self.device = tinygrad, Device["CPU"]
        self.verified_steps = work.verified_steps
        self.dtype = {"f32": dtypes.float32, "bf16": dtypes.bfloat16}[work.dtype]
        self.parameters = {name: self.tensor(w) for name, w in work.weights.items()}
        self.batches = [(self.tensor(x), Tensor(t.astype(np.int32)).realize()) for x, t in work.batches]
        self.turn = cycle(self.batches)

    def tensor(self, array: Array) -> Any:
        """An array on the device, in the model's type."""
        return self.tinygrad.Tensor(np.ascontiguousarray(array)).cast(self.dtype).contiguous().realize()

    def logits(self, x: Any) -> Any:
        p = self.parameters
        x = x.conv2d(p["conv1"]).relu().max_pool2d(2)
        x = x.conv2d(p["conv2"]).relu().max_pool2d(2)
        x = x.flatten(1).dot(p["dense1"]).relu()
        return x.dot(p["dense2"]).relu().dot(p["dense3"]) + p["bias"]

    def wait(self) -> None:
        self.device.synchronize()


class Training(_Tinygrad):
    """Steps of SGD with momentum."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        from tinygrad import Context, TinyJit
        from tinygrad.nn.optim import SGD

        optimizer = SGD(list(self.parameters.values()), lr=VERIFIED_RATE, momentum=MOMENTUM)
        self.optimizer = optimizer

        @TinyJit  # type: ignore[untyped-decorator]
        def step(x: Any, t: Any) -> Any:
            with Context(TRAINING=1):
                optimizer.zero_grad()
                loss = self.logits(x).float().sparse_categorical_crossentropy(t).backward()
                return loss.realize(*optimizer.schedule_step())

        self.step = step

    def result(self) -> Array:
        """The losses of the first steps, all on the first batch."""
        losses = [self.step(*self.batches[0]).item() for _ in range(self.verified_steps)]
        rate = self.optimizer.lr
        rate.assign(rate.full_like(LEARNING_RATE)).realize()
        return np.array(losses)

    def run(self, iterations: int) -> None:
        for x, t in islice(self.turn, iterations):
            self.step(x, t)


class Inference(_Tinygrad):
    """Logits of a batch."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.predict = self.tinygrad.TinyJit(lambda x: self.logits(x).realize())

    def result(self) -> Array:
        logits: Array = self.predict(self.batches[0][0]).float().numpy().astype(np.float64)
        return logits

    def run(self, iterations: int) -> None:
        for x, _ in islice(self.turn, iterations):
            self.predict(x)


if __name__ == "__main__":
    serve(lambda: Training(sys.argv[2]) if sys.argv[1] == "training" else Inference(sys.argv[2]))
