"""What captured functions are told of tensors: which are changed in place, and that something was rebound since.

A captured step replays what it did to the memory that its tensors had. So it must know which tensors it changes, and
notice when a parameter has got other memory, or a layer another mode, since it was recorded.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol
from weakref import WeakValueDictionary


class Observer(Protocol):
    """Who follows a function while it runs."""

    def changes(self, tensor: Any) -> None:
        """The tensor is about to be changed in place."""

    def draws(self, generator: Any) -> tuple[Any, Any]:
        """The generator's next key: two numbers, or what stands for them."""

    def runs(self, layer: Any) -> None:
        """The layer is called."""

    def refuses(self, what: str) -> None:
        """Raises CaptureError where what the function does cannot be replayed."""


class _Observing(threading.local):
    """The observer of this thread, if a function of it is followed."""

    observer: Observer | None = None


observing = _Observing()


class _Bindings:
    """How often something was bound anew."""

    count = 0


bindings = _Bindings()

# By identity: tensors are compared element by element. Each use is one step, so that handlers and threads may come
# between any two.
_registered: WeakValueDictionary[int, Any] = WeakValueDictionary()


def rebound() -> None:
    """Says that a tensor got other memory, or a layer another mode."""
    bindings.count += 1


def register(tensor: Any) -> None:
    """Counts a tensor among those that are the state of models."""
    _registered[id(tensor)] = tensor


def is_state(value: object) -> bool:
    """Whether it is a tensor that is the state of a model."""
    return _registered.get(id(value)) is value


def registered() -> list[Any]:
    """All that are the state of models now."""
    return [tensor for reference in _registered.valuerefs() if (tensor := reference()) is not None]
