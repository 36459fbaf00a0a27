"""Means over batches: of losses, of errors, of what they leave unexplained."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, inf, nan
from typing import Any

from autograph.errors import AutographError
from autograph.functions.checks import is_number
from autograph.functions.classes import Classes
from autograph.functions.losses.cross_entropy import cross_entropy_loss
from autograph.functions.losses.distances import l1_loss, mse_loss
from autograph.functions.losses.reduced import like, wide
from autograph.functions.reducers.sums import sum as sum_of
from autograph.functions.type_variables import T, U
from autograph.tensor.base import TensorBase
from autograph.tensor.observing import observing
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, Device, Item, ItemMut, i32, kernel, u32

from .metric import Metric
from .predictions import places_of
from .totals import Counts, Sums


class Mean(Metric):
    """The mean of numbers, such as losses.

    >>> from autograph import Tensor
    >>> from autograph.metrics import Mean
    >>> mean = Mean()
    >>> mean.update(Tensor.from_numpy([1.0, 2.0]))
    >>> mean.update(0.0, weight=2)
    >>> mean.compute()
    0.75
    """

    def __init__(self) -> None:
        self._sum, self._weights = Sums(), Sums()

    def update(self, values: Tensor | float, weight: float = 1.0) -> None:
        """Adds numbers.

        Args:
            values: a tensor of any shape, or a number.
            weight: how much each counts: the size of the batch, for the mean loss of a batch.

        Raises:
            DtypeError: ``values`` is neither.
            AutographError: ``weight`` is not a number.

        >>> from autograph.metrics import Mean
        >>> mean = Mean()
        >>> mean.update(0.5, weight=3)
        >>> mean.compute()
        0.5
        """
        if not is_number(weight):
            raise AutographError(f"Mean.update(weight={weight!r}): expected a number")
        if isinstance(values, TensorBase):
            x = wide("Mean", values.detach())
            if x.size:
                self._sum.add(x if x.ndim == 0 else sum_of(x), weight)
                self._weights.add_number(weight * x.size, x.device, x.dtype)
            return
        if not is_number(values) and not isinstance(values, float):
            raise AutographError(f"Mean.update({values!r}): expected a tensor or a number")
        device = Device.host() if self._sum.first is None else self._sum.first.device
        self._sum.add_number(float(values) * weight, device)
        self._weights.add_number(weight, device)

    def compute(self) -> float:
        return _quotient(self._sum.value(), self._weights.value())


class MeanSquaredError(Metric):
    """The mean square of the difference.

    >>> from autograph import Tensor
    >>> from autograph.metrics import MeanSquaredError
    >>> error = MeanSquaredError()
    >>> error.update(Tensor.from_numpy([1.0, 2.0]), Tensor.from_numpy([1.0, 4.0]))
    >>> error.compute()
    2.0
    """

    _loss = staticmethod(mse_loss)

    def __init__(self) -> None:
        self._sum, self._count = Sums(), Counts()

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Adds a batch.

        Args:
            predictions: of any shape, of floats.
            targets: numbers of the same shape.

        Raises:
            ShapeError: the shapes differ.
            DtypeError: the predictions are not floats.
            DeviceError: they lie on two devices.

        >>> from autograph import Tensor
        >>> from autograph.metrics import MeanAbsoluteError
        >>> error = MeanAbsoluteError()
        >>> error.update(Tensor.from_numpy([1.0, 2.0]), Tensor.from_numpy([1.0, 4.0]))
        >>> error.compute()
        1.0
        """
        total = self._loss(predictions.detach(), targets.detach(), "sum")
        self._sum.add(total)
        self._count.add_number(predictions.size, total.device)

    def compute(self) -> float:
        return _quotient(self._sum.value(), self._count.value())


class MeanAbsoluteError(MeanSquaredError):
    """The mean magnitude of the difference.

    >>> from autograph import Tensor
    >>> from autograph.metrics import MeanAbsoluteError
    >>> error = MeanAbsoluteError()
    >>> error.update(Tensor.from_numpy([1.0, 2.0]), Tensor.from_numpy([1.0, 4.0]))
    >>> error.compute()
    1.0
    """

    _loss = staticmethod(l1_loss)


class Perplexity(Metric):
    """``exp`` of the mean cross-entropy: among how many classes, equally likely, the choice would be as hard.

    Args:
        ignore_index: the class of places that do not count, such as padding.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> from autograph.metrics import Perplexity
    >>> perplexity = Perplexity()
    >>> perplexity.update(Tensor.zeros((4, 5)), np.array([0, 1, 2, 3]))
    >>> round(perplexity.compute(), 4)
    5.0
    """

    def __init__(self, *, ignore_index: int | None = None) -> None:
        self._ignore_index = ignore_index
        self._sum, self._count = Sums(), Counts()

    def update(self, logits: Tensor, classes: Classes) -> None:
        """Adds a batch.

        Args:
            logits: ``[batch, classes, ...]``.
            classes: ``[batch, ...]``, as :func:`cross_entropy_loss` takes them.

        Raises:
            ShapeError: not one class a row, or a class is out of range.
            DtypeError: the logits are not floats, or the classes are not integers.
            DeviceError: the classes are a tensor on another device.

        >>> import numpy as np
        >>> from autograph import Tensor
        >>> from autograph.metrics import Perplexity
        >>> perplexity = Perplexity(ignore_index=-1)
        >>> perplexity.update(Tensor.zeros((2, 3)), np.array([0, -1]))
        >>> round(perplexity.compute(), 4)
        3.0
        """
        x = logits.detach()
        self._sum.add(cross_entropy_loss(x, classes, "sum", ignore_index=self._ignore_index))
        if self._ignore_index is None:
            self._count.add_number(x.size // x.shape[1], x.device)
        else:
            self._count.add(sum_of(places_of("Perplexity", x, classes, self._ignore_index) != -2, dtype=i32))

    def compute(self) -> float:
        mean = _quotient(self._sum.value(), self._count.value())
        return exp(mean) if mean < 709 else mean if mean != mean else inf


@kernel
def _begin(shift: ItemMut[U], first: Item[T], low: Item[u32], high: Item[u32]) -> None:
    if low == 0 and high == 0:
        shift = U(first)


@kernel
def _subtract(x: Item[T], shift: Item[U], rest: ItemMut[T]) -> None:
    rest = T(U(x) - shift)


class R2(Metric):
    """The coefficient of determination: 1 less the share of the targets' variance that predictions leave unexplained.

    >>> from autograph import Tensor
    >>> from autograph.metrics import R2
    >>> r2 = R2()
    >>> r2.update(Tensor.from_numpy([1.0, 2.0, 4.0]), Tensor.from_numpy([1.0, 2.0, 3.0]))
    >>> r2.compute()
    0.5

    Its attributes are for the package's own use.
    """

    def __init__(self) -> None:
        # Around the first target, so that squares of a variance that is small beside the mean do not cancel.
        self.shift: Tensor | None = None
        self.residue, self.sum, self.squares, self.count = Sums(), Sums(), Sums(), Counts()

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Adds a batch.

        Args:
            predictions: of any shape, of floats.
            targets: numbers of the same shape.

        Raises:
            ShapeError: the shapes differ.
            DtypeError: the predictions are not floats.
            DeviceError: they lie on two devices.
            CaptureError: this is within a captured function.

        >>> from autograph import Tensor
        >>> from autograph.metrics import R2
        >>> r2 = R2()
        >>> r2.update(Tensor.from_numpy([1.0, 2.0]), Tensor.from_numpy([1.0, 2.0]))
        >>> r2.compute()
        1.0
        """
        if (observer := observing.observer) is not None:
            observer.refuses("adds numbers to R2, which keeps the first one: return them, and update it outside")
        x = wide("R2", predictions.detach())
        target = like("R2", "targets", targets.detach(), x)
        if not x.size:
            return
        residue = mse_loss(x, target, "sum")
        counted = self.count.parts(x.device, u32)
        if self.shift is None or self.shift.device != x.device:
            self.shift = Tensor(Buffer.zeros((), target.dtype, x.device))
        self.shift = self.shift.to_device(x.device)  # where it was restored
        shift = self.shift.writable()
        _begin(shift, target.reshape((-1,))[0].buffer, *counted)
        rest = target.result(Buffer.empty(target.shape, target.dtype, x.device))
        _subtract(target.buffer, shift.broadcast_to(target.shape), rest.buffer)
        self.residue.add(residue)
        self.sum.add_total(rest)
        self.squares.add_total(rest * rest)
        self.count.add_number(x.size, x.device)

    def compute(self) -> float:
        count, total = int(self.count.value()), float(self.sum.value())
        if count < 2:
            return nan
        variation = float(self.squares.value()) - total * total / count
        return 1 - float(self.residue.value()) / variation if variation > 0 else nan

    def state(self) -> dict[str, Any]:
        return super().state() | {"shift": None if self.shift is None else self.shift.numpy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self.shift = None if state["shift"] is None else Tensor.from_numpy(state["shift"])

    def merge(self, other: Metric) -> None:
        if not isinstance(other, R2) or other.shift is None:
            super().merge(other)
            return
        if self.shift is None or not self.count.value():
            self.shift = other.shift.copy()
            super().merge(other)
            return
        # The sums of the other, around the own number.
        count, total, move = (
            int(other.count.value()),
            float(other.sum.value()),
            other.shift.item() - self.shift.item(),
        )
        device, dtype = self.shift.device, self.shift.dtype
        self.sum.merge(other.sum)
        self.squares.merge(other.squares)
        self.sum.add_number(count * move, device, dtype)
        self.squares.add_number(2 * move * total + count * move * move, device, dtype)
        self.residue.merge(other.residue)
        self.count.merge(other.count)


def _quotient(total: Any, count: Any) -> float:
    return float(total) / float(count) if count != 0 else nan
