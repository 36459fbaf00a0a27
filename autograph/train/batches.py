"""A loader as a stream of batches whose position can be saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from autograph.data.loading.collation import to_device
from autograph.errors import AutographError
from krnlpy import Device

from .scores import restore, state_of


class Stream:
    """The batches of a loader, pass after pass.

    A loader is anything that can be iterated as often as wanted. Its position is what its ``state()`` gives; of one
    without, such as a list, the count of batches of this pass, which are passed over when training goes on.

    Args:
        loader: the loader.

    Raises:
        AutographError: it cannot be iterated, or only once.
    """

    def __init__(self, loader: Any) -> None:
        if not hasattr(loader, "__iter__") or hasattr(loader, "__next__"):
            raise AutographError(
                f"the loader is of type {type(loader).__name__}; expected what can be iterated as often as wanted, such"
                " as a DataLoader or a list of batches"
            )
        self.loader = loader
        self._pass: Iterator[Any] | None = None
        self._is_empty = False  # the pass before gave nothing
        self.position = 0  # batches taken of this pass

    @property
    def length(self) -> int | None:
        """Batches a pass, where the loader knows it."""
        return length_of(self.loader)

    def take(self, count: int) -> list[Any]:
        """The next batches of this pass; fewer where it ends, none after its end. Then the next pass begins.

        Raises:
            AutographError: the loader gives no batch at all.
        """
        if self._pass is None:
            self._pass = iter(self.loader)
            if state_of(self.loader) is None and self.position:
                next(islice(self._pass, self.position - 1, self.position), None)
        found = list(islice(self._pass, count))
        if not found:
            # A loader may stand at its end, but not twice.
            if self._is_empty:
                raise AutographError("the loader gives no batches")
            self._pass, self._is_empty, self.position = None, not self.position, 0
        self.position += len(found)
        return found

    def state(self) -> dict[str, Any]:
        """The position."""
        return {"position": self.position, "loader": state_of(self.loader)}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes to a position that :meth:`state` gave."""
        restore(self.loader, state["loader"], "the loader")
        self._pass, self.position = None, state["position"]


def length_of(loader: Any) -> int | None:
    """How many batches a loader gives, where it knows."""
    try:
        return len(loader)
    except TypeError:
        return None


def on_device(batch: Any, device: Device | None) -> Any:
    """A batch, whose arrays become tensors on a device."""
    return to_device(tuple(batch) if isinstance(batch, list) else batch, device)


def count_of(batch: Any) -> int:
    """How many examples a batch has: the length of the first axis of what stands first in it.

    Raises:
        AutographError: nothing in it has an axis.
    """
    first = batch
    while isinstance(first, list | tuple | dict) and first:
        first = next(iter(first.values())) if isinstance(first, dict) else first[0]
    shape = getattr(first, "shape", ())
    if not shape:
        raise AutographError(
            "how many examples a batch has cannot be seen; Trainer(..., count=) takes a function that tells"
        )
    return int(shape[0])


Count = Callable[[Any], int]
"""How many examples, or tokens, a batch has."""
