"""``capture``: a function that runs as it is the first time, is recorded the second, and replayed from then on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from autograph.errors import CaptureError
from autograph.tensor.base import TensorBase
from autograph.tensor.observing import observing, registered
from krnlpy import Device

from .arguments import Arguments
from .recording import Follower, Recording
from .state import NotSettled

P = ParamSpec("P")
R = TypeVar("R")

KEPT = 16
"""So many kinds of arguments are remembered, and so many recordings of each; the least recently used go first."""

_TRIES = 3


class _Kind:
    """What is known of one kind of arguments.

    Attributes:
        objects: what the kind is told by, kept so that nothing else gets its identity.
        recordings: the most recently used last.
        changed: the tensors that the function changes in place.
        failures: how often a recording turned out not to be what the next call does.
    """

    def __init__(self, objects: list[Any]) -> None:
        self.objects = objects
        self.recordings: list[Recording] = []
        self.changed: list[TensorBase] = []
        self.failures = 0


class Captured(Generic[P, R]):
    """A function that is recorded once for each kind of arguments, and replayed after. Made by :func:`capture`.

    Args:
        function: what is recorded.

    Raises:
        CaptureError: ``function`` cannot be called.

    >>> from autograph import Tensor, capture
    >>> @capture
    ... def double(x):
    ...     return x + x
    >>> [double(Tensor.full((), i)).item() for i in range(4)]
    [0, 2, 4, 6]
    >>> double
    <captured double: graphs of 1 commands>
    """

    def __init__(self, function: Callable[P, R]) -> None:
        if not callable(function):
            raise CaptureError(f"capture takes a function, not {type(function).__name__}")
        update_wrapper(self, function)
        self._function = function
        self._kinds: OrderedDict[Any, _Kind] = OrderedDict()
        self._lock = threading.RLock()

    @overload
    def __get__(self, owner: None, type: type[Any]) -> Captured[P, R]: ...

    @overload
    def __get__(self, owner: object, type: type[Any] | None = None) -> Callable[..., R]: ...

    def __get__(self, owner: Any, type: Any = None) -> Any:
        return self if owner is None else partial(self._call, owner)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._call(None, *args, **kwargs)

    def _call(self, owner: Any, /, *args: Any, **kwargs: Any) -> R:
        function: Callable[..., R] = self._function if owner is None else partial(cast(Any, self._function), owner)
        if observing.observer is not None:  # within another captured function, of which it becomes a part
            return function(*args, **kwargs)
        arguments = Arguments(args, kwargs, owner)
        with self._lock:
            kind = self._kinds.pop(arguments.key, None)
            is_new = kind is None
            if kind is None:
                kind = _Kind(arguments.objects)
            self._kinds[arguments.key] = kind
            if len(self._kinds) > KEPT:
                self._kinds.popitem(last=False)
            if is_new or kind.failures >= _TRIES:
                return self._followed(kind, function, args, kwargs)
            try:
                return cast(R, self._recorded(kind, function, arguments).replay(arguments))
            except NotSettled:
                kind.failures += 1
                return self._followed(kind, function, args, kwargs)

    def _followed(self, kind: _Kind, function: Callable[..., R], args: Any, kwargs: Any) -> R:
        """Calls the function as it is."""
        observing.observer = follower = Follower()
        try:
            return function(*args, **kwargs)
        finally:
            observing.observer = None
            kind.changed = follower.changed

    def _recorded(self, kind: _Kind, function: Callable[..., R], arguments: Arguments) -> Recording:
        """A recording that may be replayed now."""
        recordings = kind.recordings
        for i in range(len(recordings) - 1, -1, -1):
            if recordings[i].holds():
                recording = recordings.pop(i)
                break
        else:
            recording = Recording(function, arguments, _device_of(arguments), kind.changed)
            kind.changed = recording.changed
            if not recording.holds():
                raise NotSettled
        recordings.append(recording)
        del recordings[:-KEPT]
        return recording

    @property
    def graphs(self) -> list[Any]:
        """The graphs that are replayed, of all kinds of arguments so far: each has a length and ``memory_bytes``.

        >>> from autograph import Tensor, capture
        >>> double = capture(lambda x: x + x)
        >>> for _ in range(2):
        ...     _ = double(Tensor.ones(2))
        >>> [len(graph) for graph in double.graphs]
        [1]
        """
        with self._lock:
            return [recording.graph for kind in self._kinds.values() for recording in kind.recordings]

    def __repr__(self) -> str:
        commands = ", ".join(str(len(graph)) for graph in self.graphs) or "none yet"
        return f"<captured {self._function.__qualname__}: graphs of {commands} commands>"


def _device_of(arguments: Arguments) -> Device:
    """Where the function runs: where its tensors lie; without any, where the parameters do."""
    tensors = arguments.tensors or registered()
    devices = {tensor.device for tensor in tensors}
    if len(devices) != 1:
        where = ", ".join(sorted(map(repr, devices))) or "no device"
        raise CaptureError(f"a captured function takes tensors of one device, not of {where}")
    return devices.pop()


def capture(function: Callable[P, R]) -> Captured[P, R]:
    """Records a function of tensors once for each kind of arguments, and replays what it did from then on.

    The first call with arguments of a kind runs the function as it is. The second runs it again to record its work on
    the device, and replays that; later calls only replay, without Python between the kernels. The results are those of
    the function itself, bit for bit.

    What changes from call to call: the elements of tensors among the arguments (in lists, tuples, dicts and dataclasses
    too), floats such as a learning rate, parameters of layers and their gradients, what optimizers keep, running
    statistics, and the random numbers of generators. All else belongs to the kind of arguments: shapes, dtypes and
    devices of tensors, whole numbers, strings, layers, whether layers are in training mode. So a kind is recorded for
    each of their values, of which the last 16 are kept. What the function reads elsewhere, such as global variables, is
    as it was when it was recorded.

    Work that needs a result within the function (``item()``, ``numpy()``, ``if tensor:``), or sends values to the
    device (``Tensor.from_numpy``), raises CaptureError. So does computing with a float argument in Python: compute
    before the call, or hand over a tensor.

    Args:
        function: of tensors on one device. It may be a method.

    Returns:
        The function that does this.

    Raises:
        CaptureError: ``function`` cannot be called. When it is called: the function does what cannot be recorded, or is
            given what cannot be handed over; parameters, gradients and generators are then as they were.

    >>> from autograph import SGD, Dense, Tensor, capture
    >>> model, optimizer = Dense(2, 1, seed=0), SGD()
    >>> @capture
    ... def step(x, rate):
    ...     model.init_parameter_grads()
    ...     loss = (model(x) ** 2).mean()
    ...     loss.backward()
    ...     model.update(rate, optimizer)
    ...     return loss
    >>> losses = [step(Tensor.ones((4, 2)), 0.1).item() for _ in range(20)]
    >>> losses[0] > losses[-1], len(step.graphs)
    (True, 1)
    """
    return Captured(function)
