"""LeNet5 in JAX, as its users write it, in a process of its own: ``python -m benches.lenet5_jax WHAT FILE``."""

from __future__ import annotations

import sys
from functools import partial
from itertools import cycle, islice
from typing import Any

import numpy as np

from benches.lenet5_work import LEARNING_RATE, MOMENTUM, VERIFIED_RATE, Array, load
from benches.peer_process import serve


class _Jax:
    """A model and its batches on the CPU."""

    def __init__(self, path: str) -> None:
        import jax

        jax.config.update("jax_platforms", "cpu")
        from jax import lax, nn
        from jax import numpy as jnp

        work = load(path)
        dtype = {"f32": jnp.float32, "bf16": jnp.bfloat16}[work.dtype]
        self.jax, self.verified_steps = jax, work.verified_steps
        self.parameters = {name: jnp.asarray(w, dtype) for name, w in work.weights.items()}
        self.batches = [(jnp.asarray(x, dtype), jnp.asarray(t, jnp.int32)) for x, t in work.batches]
        self.turn = cycle(self.batches)

        def pool(x: Any) -> Any:
            return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

        def logits(p: Any, x: Any) -> Any:
            x = pool(nn.relu(lax.conv(x, p["conv1"], (1, 1), "VALID")))
            x = pool(nn.relu(lax.conv(x, p["conv2"], (1, 1), "VALID")))
            x = x.reshape(len(x), -1)
            x = nn.relu(x @ p["dense1"])
            x = nn.relu(x @ p["dense2"])
            return x @ p["dense3"] + p["bias"]

        self.logits = logits


class Training(_Jax):
    """Steps of SGD with momentum."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        jax = self.jax
        from jax import nn
        from jax import numpy as jnp

        def loss_of(p: Any, x: Any, t: Any) -> Any:
            chances = nn.log_softmax(self.logits(p, x).astype(jnp.float32))
            return -jnp.take_along_axis(chances, t[:, None], 1).mean()

        @partial(jax.jit, donate_argnums=(0, 1))
        def step(p: Any, v: Any, x: Any, t: Any, rate: Any) -> Any:
            loss, g = jax.value_and_grad(loss_of)(p, x, t)
            v = jax.tree.map(lambda v, g: MOMENTUM * v + g, v, g)
            return jax.tree.map(lambda p, v: (p - rate * v).astype(p.dtype), p, v), v, loss

        self.velocity = jax.tree.map(jnp.zeros_like, self.parameters)
        self.step = step

    def _steps(self, batches: Any, rate: float) -> list[Any]:
        losses = []
        for x, t in batches:
            self.parameters, self.velocity, loss = self.step(self.parameters, self.velocity, x, t, rate)
            losses.append(loss)
        return losses

    def result(self) -> Array:
        """The losses of the first steps, all on the first batch."""
        return np.array([float(loss) for loss in self._steps([self.batches[0]] * self.verified_steps, VERIFIED_RATE)])

    def run(self, iterations: int) -> None:
        self._steps(islice(self.turn, iterations), LEARNING_RATE)

    def wait(self) -> None:
        self.jax.block_until_ready(self.parameters)


class Inference(_Jax):
    """Logits of a batch."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.predict = self.jax.jit(self.logits)
        self.last: Any = None

    def result(self) -> Array:
        return np.asarray(self.predict(self.parameters, self.batches[0][0])).astype(np.float64)

    def run(self, iterations: int) -> None:
        for x, _ in islice(self.turn, iterations):
            self.last = self.predict(self.parameters, x)

    def wait(self) -> None:
        self.jax.block_until_ready(self.last)


if __name__ == "__main__":
    serve(lambda: Training(sys.argv[2]) if sys.argv[1] == "training" else Inference(sys.argv[2]))
