"""What a metric is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autograph.errors import AutographError, DtypeError, ShapeError

from .totals import Counts, Sums


class Metric:
    """A figure over many batches.

    ``update(...)`` takes a batch, and waits for nothing; ``compute()`` gives the figure of all batches so far, and
    waits for the device; ``reset()`` begins anew. What is not a number of any batch yet is NaN.

    >>> from autograph import Tensor
    >>> from autograph.metrics import Mean
    >>> loss = Mean()
    >>> for batch in (2.0, 4.0):
    ...     loss.update(Tensor.full((), batch))
    >>> loss.compute()
    3.0
    """

    def compute(self) -> Any:
        """The figure: a number, or an array; waits for the device.

        Raises:
            AutographError: the device fails.

        >>> from autograph.metrics import Accuracy
        >>> Accuracy().compute()
        nan
        """
        raise NotImplementedError

    def reset(self) -> None:
        """Forgets all batches.

        >>> from autograph.metrics import Mean
        >>> loss = Mean()
        >>> loss.update(2.0)
        >>> loss.reset()
        >>> loss.compute()
        nan
        """
        for _, part in self._totals():
            part.reset()

    def merge(self, other: Metric) -> None:
        """Adds the batches of another metric of the same kind, which may be on another device.

        Raises:
            DtypeError: it is of another kind.
            ShapeError: it has another number of classes.

        >>> from autograph.metrics import Mean
        >>> first, second = Mean(), Mean()
        >>> first.update(2.0)
        >>> second.update(4.0)
        >>> first.merge(second)
        >>> first.compute()
        3.0
        """
        if type(other) is not type(self):
            raise DtypeError(f"{type(self).__name__}.merge takes one of its kind, not {type(other).__name__}")
        pairs = list(zip(self._totals(), other._totals(), strict=True))
        for (name, mine), (_, theirs) in pairs:
            if mine.shape != theirs.shape:
                raise ShapeError(f"{type(self).__name__}.merge: {name} of shape {theirs.shape}, not {mine.shape}")
        for (_, mine), (_, theirs) in pairs:
            mine.merge(theirs)  # type: ignore[arg-type]  # of one kind

    def state(self) -> dict[str, Any]:
        """What the batches so far add up to, as arrays to save; waits for the device.

        >>> from autograph.metrics import Mean
        >>> mean = Mean()
        >>> mean.state()
        {'_sum': [], '_weights': []}
        """
        return {name: part.state() for name, part in self._totals()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from what :meth:`state` gave, on the device of the next batch.

        Raises:
            AutographError: it is the state of another kind of metric.
            ShapeError: it is of another number of classes.

        >>> from autograph.metrics import Mean
        >>> first, second = Mean(), Mean()
        >>> first.update(2.0)
        >>> second.restore(first.state())
        >>> second.update(4.0)
        >>> second.compute()
        3.0
        """
        if not isinstance(state, Mapping) or state.keys() != self.state().keys():
            raise AutographError(f"{type(self).__name__}: a state of {', '.join(self.state())} is expected")
        for name, part in self._totals():
            part.restore(state[name])

    def _totals(self) -> Iterator[tuple[str, Counts | Sums]]:
        return ((name, part) for name, part in vars(self).items() if isinstance(part, Counts | Sums))
