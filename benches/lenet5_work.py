"""The work of the benchmark ``lenet5``; knows no software that does it.

Peers in processes of their own get it as a file of NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Batch = tuple[Array, Array]
"""Images ``[n, 1, 28, 28]`` of f32 from 0 to 1, and classes ``[n]``."""

LEARNING_RATE = 0.01
MOMENTUM = 0.9
VERIFIED_RATE = 0.1
"""The steps that are verified learn faster: the loss of twelve falls by 0.3, ten times what is tolerated in bf16."""


@dataclass(frozen=True)
class Work:
    """What everybody starts from.

    Attributes:
        weights: f32, by the names conv1, conv2 (``[out, in, 5, 5]``), dense1, dense2, dense3 (``[in, out]``) and bias.
        batches: taken in turn.
        dtype: of weights and activations, f32 or bf16.
        verified_steps: of training, on the first batch, whose losses are compared.
    """

    weights: Mapping[str, Array]
    batches: Sequence[Batch]
    dtype: str
    verified_steps: int = 12

    @contextmanager
    def file(self) -> Iterator[str]:
        """The path of a file that holds the work for as long as the ``with`` block takes."""
        images, classes = (np.stack(arrays) for arrays in zip(*self.batches, strict=True))
        with TemporaryDirectory() as folder:
            path = Path(folder) / "work.npz"
            about = {"dtype": np.array(self.dtype), "verified_steps": np.array(self.verified_steps)}
            np.savez(path, **{"images": images, "classes": classes, **about, **self.weights})  # type: ignore[arg-type]
            yield str(path)


def load(path: str) -> Work:
    """What :meth:`Work.file` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    batches = list(zip(arrays.pop("images"), arrays.pop("classes"), strict=True))
    dtype, steps = str(arrays.pop("dtype")), int(arrays.pop("verified_steps"))
    return Work(arrays, batches, dtype, steps)
