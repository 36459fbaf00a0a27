"""Graphs: work that is captured once and replayed as often as wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from itertools import groupby
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple

from krnlpy.backend import recorder as capture
from krnlpy.backend.commands import Command, Launch, LaunchIndirect, memories, perform
from krnlpy.buffers.buffer import Buffer
from krnlpy.device import Device
from krnlpy.errors import CaptureError, DtypeError, LaunchError
from krnlpy.locks import is_mine

from .parameters import Parameter, is_same, parameters_in, resolved


class _Call(NamedTuple):
    """A call with parameters among its arguments, and their names."""

    names: frozenset[str]
    function: Callable[..., None]
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]

    def step(self, recorder: capture.Recorder, values: Mapping[str, Any]) -> _Step:
        """What the call does with these values of the parameters. Raises what it raises."""
        keywords = {name: resolved(argument, values) for name, argument in self.keywords.items()}
        self.function(*[resolved(argument, values) for argument in self.arguments], **keywords)
        return _step_of(recorder, self)


class _Step(NamedTuple):
    """Commands of a graph, the memory that was allocated meanwhile, and the call that they all came from, if it must be
    made again when a parameter changes."""

    commands: tuple[Command, ...]
    allocated: tuple[Any, ...]
    call: _Call | None


class _Content(NamedTuple):
    """What a graph does. It is one object, so that an interruption sees the old or the new one."""

    steps: list[_Step]
    values: Mapping[str, Any]
    commands: tuple[Command, ...]
    recording: Any


def _step_of(recorder: capture.Recorder, call: _Call | None = None) -> _Step:
    """What was recorded since the last step."""
    step = _Step(tuple(recorder.commands), tuple(recorder.allocated), call)
    recorder.commands.clear()
    recorder.allocated.clear()
    return step


def _names_of(step: _Step) -> frozenset[str]:
    """The parameters with which a step changes."""
    return frozenset() if step.call is None else step.call.names


def _memory_of(buffer: Any) -> Any:
    """A buffer's memory; of an empty buffer something that no command has."""
    if not isinstance(buffer, Buffer):
        raise DtypeError(f"a graph uses buffers, not {type(buffer).__name__}")
    return buffer if buffer.memory is None else buffer.memory


def _needs_wait(command: Command) -> bool:
    if isinstance(command, Launch):
        return bool(command.executable.needs_wait(command.groups, command.parameters))
    return isinstance(command, LaunchIndirect) and bool(command.executable.needs_wait(None, command.parameters))


class Graph:
    """Kernels, copies and fills of a device, recorded once, that run again at the cost of one submission.

    Made by :meth:`Device.capture`. What the thread asks of the device in the ``with`` block is checked as usual, but
    recorded and not run. What it asks of other devices runs at once, as does what other threads, signal handlers and
    finalizers ask of this one. What needs a result, or sends values to the device, raises CaptureError: ``numpy()``,
    ``device.wait()``, ``Buffer.from_numpy``. An exception that leaves the block ends the capture, and the graph can't
    be replayed.

    Kernels that print, and in debug mode those that are checked, do so at each replay, which then queues one command
    after the other and waits for these kernels.

    A graph keeps the buffers that it uses alive, those that were made while it was captured too, and uses the same
    memory at each replay. :meth:`parameter` makes what is to change between replays.

    >>> from krnlpy import Buffer, Device, ItemMut, f32, kernel
    >>> @kernel
    ... def grow(rate: f32, x: ItemMut[f32]):
    ...     x *= 1.0 + rate
    >>> device = Device.host()
    >>> x = Buffer.ones(3, f32, device)
    >>> with device.capture() as graph:
    ...     rate = graph.parameter("rate", 1.0)
    ...     grow(rate, x)
    ...     grow(rate, x)
    >>> graph.replay()
    >>> graph.replay(rate=0.5)
    >>> x.numpy()
    array([9., 9., 9.], dtype=float32)
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._lock = threading.RLock()
        self._state = "is not captured yet: use it in a with statement"
        self._recorder: capture.Recorder | None = None
        self._parameters: dict[str, Parameter] = {}
        self._values: dict[str, Any] = {}
        self._steps: list[_Step] = []  # while it is captured
        self._content = _Content([], self._values, (), None)

    # ------------------------------------------------------------------------------------------------------- capture

    def __enter__(self) -> Graph:
        if self._recorder is not None or self._state.startswith("was"):
            raise CaptureError("a graph is captured once; device.capture() makes a new one")
        recorder = capture.Recorder(self._device.backend, self._take)
        capture.begin(recorder)
        self._recorder, self._thread = recorder, threading.get_ident()
        self._state = "is being captured"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        recorder = self._recorder
        if recorder is None or threading.get_ident() != self._thread:
            raise CaptureError("a capture ends in the thread in which it began")
        self._recorder = None
        capture.end(recorder)
        self._state = "was not captured: its with block was left by an exception"
        steps, self._steps = self._steps, []
        if kind is None:
            self._commit([*steps, _step_of(recorder)], self._values)
            self._state = ""

    def parameter(self, name: str, value: Any) -> Any:
        """A stand-in for a value that can change between replays, to be handed to kernels, ``copy_from`` and ``fill``
        within the ``with`` block.

        Args:
            name: an identifier; the keyword of :meth:`replay`.
            value: the value until it is changed. A number (for a vector, numbers): the result is handed to
                kernels as a scalar; ``rate * 0.5`` and other arithmetic with it stands for the number that this will
                be. A Buffer or StructBuffer of the graph's device: the
                result is such a buffer, and views of it follow it; it is replaced by buffers of its type, shape and
                strides only.

        Raises:
            CaptureError: the capture has ended, ``name`` is not an identifier or is taken, or ``value`` stands for a
                parameter itself.
            LaunchError: the buffer lies on another device.

        >>> from krnlpy import Buffer, Device
        >>> x = Buffer.zeros(2)
        >>> with Device.host().capture() as graph:
        ...     x.fill(graph.parameter("value", 1.0))
        >>> graph.replay(value=7.0)
        >>> x.numpy()
        array([7., 7.], dtype=float32)
        """
        if self._recorder is None and not self._state.startswith("is not"):
            raise CaptureError(f"the capture has ended; {name} can't be a parameter of the graph any more")
        if not isinstance(name, str) or not name.isidentifier() or name in self._parameters:
            raise CaptureError(f"parameter({name!r}): expected an identifier that the graph does not have yet")
        parameter = Parameter(self, name, value)
        device = getattr(value, "device", self._device)
        if device != self._device:
            raise LaunchError(f"parameter {name}: the buffer is on {device!r}, the graph on {self._device!r}")
        if parameters_in(value):
            raise CaptureError(f"parameter({name!r}): the value is, or stands for, a parameter itself")
        self._parameters[name] = parameter
        self._values[name] = value
        return parameter.placeholder()

    def _take(self, function: Callable[..., None], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
        parameters = parameters_in((*arguments, *keywords.values()))
        if not any(parameter.graph is self for parameter in parameters):
            return False
        if foreign := [p.name for p in parameters if p.graph is not self]:
            raise CaptureError(f"{', '.join(foreign)}: parameters of another graph")
        assert self._recorder is not None
        call = _Call(frozenset(parameter.name for parameter in parameters), function, arguments, keywords)
        with capture.recording(self._device.backend) as recorder:
            step = call.step(recorder, self._values)
        before = _step_of(self._recorder)
        self._steps += [before, step] if before.commands or before.allocated else [step]
        return True

    # -------------------------------------------------------------------------------------------------------- replay

    def replay(self, **values: Any) -> None:
        """Queues all that was captured, in its order, after the work that was queued before.

        From several threads, one replay comes after the other. While another graph of the device is captured by this
        thread, the commands become part of that graph, with the values that the parameters have then.

        Args:
            values: new values of parameters, which stay until they are changed again. They are checked as at a launch;
                where one does not fit, nothing changes and nothing runs. Only where something changed is the graph
                recorded anew.

        Raises:
            KernelIndexError, KernelAssertionError: in debug mode, a thread failed; commands after it were not queued.
            CaptureError: the graph is not, or not yet, captured. LaunchError: no such parameter, or a number that does
                not fit; DtypeError, ShapeError: a buffer of another type, shape or strides.

        >>> from krnlpy import Buffer, Device
        >>> x, y, z = Buffer.zeros(2), Buffer.ones(2), Buffer.full(2, 5.0)
        >>> with Device.host().capture() as graph:
        ...     x.copy_from(graph.parameter("source", y))
        >>> graph.replay()
        >>> x.numpy()
        array([1., 1.], dtype=float32)
        >>> graph.replay(source=z)
        >>> x.numpy()
        array([5., 5.], dtype=float32)
        """
        if self._state:
            raise CaptureError(f"the graph {self._state}")
        backend = self._device.backend
        if values and is_mine(self._lock):
            raise CaptureError("the graph's values can't be changed within a replay of it that was interrupted")
        with self._lock:
            if values:
                self._update(values)
            content = self._content
            if capture.recorders and (recorder := capture.current(backend)) is not None:
                recorder.commands += content.commands
            elif content.recording is None:
                perform(backend, content.commands)
            else:
                backend.replay(content.recording)

    def _update(self, values: dict[str, Any]) -> None:
        changed = set()
        for name, value in values.items():
            if name not in self._parameters:
                known = ", ".join(self._parameters) or "none"
                raise LaunchError(f"the graph has no parameter {name}; it has {known}")
            self._parameters[name].check(value)
            if not is_same(self._content.values[name], value):
                changed.add(name)
        if changed:
            new = {**self._content.values, **values}
            with capture.recording(self._device.backend) as recorder:
                steps = [
                    step if step.call is None or step.call.names.isdisjoint(changed) else step.call.step(recorder, new)
                    for step in self._content.steps
                ]
            self._commit(steps, new)

    def _commit(self, steps: list[_Step], values: Mapping[str, Any]) -> None:
        commands = tuple(command for step in steps for command in step.commands)
        if any(step.allocated for step in steps):
            used = {id(memory) for command in commands for memory in memories(command)}
            steps = [step._replace(allocated=tuple(m for m in step.allocated if id(m) in used)) for step in steps]
        pieces = [
            tuple(command for step in group for command in step.commands) for _, group in groupby(steps, _names_of)
        ]
        # A graph with a kernel that is waited for can't be submitted as a whole.
        waits = [_needs_wait(command) for command in commands]  # all of them are asked: some raise
        recording = None
        if not any(waits):
            recording = self._device.backend.record([piece for piece in pieces if piece], self._content.recording)
        self._content = _Content(steps, values, commands, recording)

    # --------------------------------------------------------------------------------------------------- what it is

    @property
    def device(self) -> Device:
        """The device on which it was captured."""
        return self._device

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The values that the parameters have now, by name."""
        return MappingProxyType(self._content.values)

    def uses(self, buffer: Buffer) -> bool:
        """Whether a command reads or writes the buffer's memory.

        Raises:
            DtypeError: ``buffer`` is not a Buffer.

        >>> from krnlpy import Buffer, Device
        >>> x, y = Buffer.zeros(2), Buffer.zeros(2)
        >>> with Device.host().capture() as graph:
        ...     x.fill(1.0)
        >>> graph.uses(x), graph.uses(y)
        (True, False)
        """
        return any(_memory_of(buffer) is memory for command in self._commands() for memory in memories(command))

    def owns(self, buffer: Buffer) -> bool:
        """Whether the buffer's memory was allocated while the graph was captured: each replay writes it again.

        Raises:
            DtypeError: ``buffer`` is not a Buffer.

        >>> from krnlpy import Buffer, Device
        >>> x = Buffer.zeros(2)
        >>> with Device.host().capture() as graph:
        ...     y = x.copy()
        >>> graph.owns(x), graph.owns(y)
        (False, True)
        """
        recorder = self._recorder
        steps = self._content.steps if recorder is None else self._steps
        allocated = [memory for step in steps for memory in step.allocated]
        if recorder is not None:
            allocated += recorder.allocated
        return any(_memory_of(buffer) is memory for memory in allocated)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the buffers that were made while the graph was captured, and that it keeps because it uses them."""
        return sum(memory.nbytes for step in self._content.steps for memory in step.allocated)

    def _commands(self) -> list[Command]:
        recorder = self._recorder
        if recorder is None:
            return list(self._content.commands)
        return [*(command for step in self._steps for command in step.commands), *recorder.commands]

    def __len__(self) -> int:
        """The number of commands: launches, copies and fills."""
        return len(self._content.commands)

    def __repr__(self) -> str:
        if self._state:
            return f"<graph on {self._device!r} that {self._state}>"
        parameters = f", parameters {', '.join(self._parameters)}" if self._parameters else ""
        return f"<graph of {len(self)} commands on {self._device!r}{parameters}, {self.memory_bytes} bytes of its own>"
