"""One recording of a captured function: the graph, what goes in, what comes out, and what it relies on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from autograph.errors import CaptureError
from autograph.random import Generator
from autograph.tensor.base import TensorBase
from autograph.tensor.observing import bindings, is_state, observing
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, Device, hooks

from .arguments import Arguments, mapped
from .state import State


class Follower:
    """Follows a function that runs eagerly: notes which tensors it changes in place."""

    def __init__(self) -> None:
        self._changed: dict[int, ref[TensorBase]] = {}

    def changes(self, tensor: TensorBase) -> None:
        """Notes the tensor."""
        self._changed.setdefault(id(tensor), ref(tensor))

    def draws(self, generator: Generator) -> tuple[Any, Any]:
        """The generator's next key."""
        return unobserved(generator.key)

    def runs(self, layer: Any) -> None:
        """Nothing is noted of layers."""

    def refuses(self, what: str) -> None:
        """An eager function may do anything."""

    @property
    def changed(self) -> list[TensorBase]:
        """The tensors that it changed, and that are still there."""
        return [tensor for reference in self._changed.values() if (tensor := reference()) is not None]


class Recording(Follower):
    """Runs a function once to record it.

    Args:
        function: what is recorded.
        arguments: what it is called with now; only their kinds matter.
        device: on which all of it runs.
        changed: the tensors that it is known to change.

    Attributes:
        changed: the tensors that it changes in place.

    Raises:
        CaptureError: the function does what cannot be replayed.
        NotSettled: what it does now is not what the next call will do. All is then as it was before, as after any
            other error.
    """

    def __init__(
        self, function: Callable[..., Any], arguments: Arguments, device: Device, changed: list[TensorBase]
    ) -> None:
        super().__init__()
        self._device = device
        self._draws: list[tuple[Generator, int, int]] = []
        self._modes: list[tuple[ref[Any], bool]] = []
        self._inputs = [Tensor(Buffer.empty(t.shape, t.dtype, device)) for t in arguments.tensors]
        shares = [tensor.share for tensor in self._inputs]
        self._count = len(arguments.numbers)
        self._state = state = State(device, changed)
        self._graph = graph = device.capture()
        try:
            with hooks.on_launch(self._launched), graph:
                numbers = [graph.parameter(f"number{i}", value) for i, value in enumerate(arguments.numbers)]
                args, kwargs = arguments.replaced(self._inputs, numbers)
                observing.observer = self
                try:
                    result = function(*args, **kwargs)
                finally:
                    observing.observer = None
                state.settle(graph.owns)
            self._written = [
                i for i, (a, b) in enumerate(zip(self._inputs, shares, strict=True)) if self._was_changed(a, b)
            ]
            self._result = mapped(result, self._checked)
            self._guards = state.guards(graph.uses, graph.owns)
            graph.fuse()
        except BaseException:
            state.restore()
            raise
        finally:
            for generator, seed, counter in reversed(self._draws):
                generator.load_state_dict({"seed": seed, "counter": counter})
        del self._state

    def _was_changed(self, tensor: Tensor, share: Any) -> bool:
        return tensor.share is not share or id(tensor) in self._changed

    # ------------------------------------------------------------------------------------- what the function does

    def changes(self, tensor: TensorBase) -> None:
        """Notes the tensor, and the memory that it has before."""
        super().changes(tensor)
        self._state.changes(tensor)

    def draws(self, generator: Generator) -> tuple[Any, Any]:
        """Parameters of the graph that stand for the generator's next key."""
        self._draws.append((generator, generator.seed, generator.counter))
        low, high = unobserved(generator.key)
        name = f"draw{len(self._draws) - 1}"
        return self._graph.parameter(f"{name}_low", low), self._graph.parameter(f"{name}_high", high)

    def runs(self, layer: Any) -> None:
        """Notes the layer's mode."""
        self._modes.append((ref(layer), layer.training))

    def refuses(self, what: str) -> None:
        """Raises CaptureError."""
        raise CaptureError(f"a captured function {what}")

    def _launched(self, launch: hooks.Launch) -> None:
        if launch.device != self._device and observing.observer is self:
            raise CaptureError(
                f"a captured function launches {launch.kernel} on {launch.device!r}, and what it is given lies on"
                f" {self._device!r}; it can be on one device only"
            )

    def _checked(self, value: Any) -> Any:
        """A part of the result."""
        if isinstance(value, TensorBase) and not is_state(value) and value.node is not None and value.node.edges:
            raise CaptureError(
                "a captured function returns a tensor whose gradients are recorded: call backward() within, or return"
                " .detach() of it"
            )
        return value

    # ------------------------------------------------------------------------------------------------------ replay

    def holds(self) -> bool:
        """Whether a replay does what the function would do now."""
        count = bindings.count
        if count != self._guards.bindings:
            for layer_of, training in self._modes:
                layer = layer_of()
                if layer is None or layer.training is not training:
                    return False
        return self._guards.hold(count)

    def replay(self, arguments: Arguments) -> Any:
        """Runs the recorded work on other arguments of the same kind, and returns what the function would."""
        for input, given in zip(self._inputs, arguments.tensors, strict=True):
            input.buffer.copy_from(given.buffer)
        values: dict[str, Any] = {f"number{i}": value for i, value in enumerate(arguments.numbers)}
        for i, (generator, _, _) in enumerate(self._draws):
            values[f"draw{i}_low"], values[f"draw{i}_high"] = generator.key()
        self._graph.replay(**values)
        for i in self._written:
            arguments.tensors[i].writable().copy_from(self._inputs[i].buffer)
        self._guards.finish(self._copied)
        places = {id(input): given for input, given in zip(self._inputs, arguments.tensors, strict=True)}
        return mapped(self._result, lambda value: places.get(id(value)) or self._copied(value))

    def _copied(self, value: Any) -> Any:
        """A result by itself: the next replay writes the recorded one again."""
        if isinstance(value, TensorBase) and not is_state(value) and self._graph.owns(value.buffer):
            return Tensor(value.buffer.copy())
        return value

    @property
    def graph(self) -> Any:
        """The graph that is replayed."""
        return self._graph


def unobserved(function: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    """What a function returns while nobody follows."""
    observer, observing.observer = observing.observer, None
    try:
        return function()
    finally:
        observing.observer = observer
