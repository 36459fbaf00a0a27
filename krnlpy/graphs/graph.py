"""Graphs: work that is captured once and replayed as often as wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from itertools import groupby
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

from krnlpy import config
from krnlpy.backend import recorder as capture
from krnlpy.backend.commands import Command, Fill, Launch, LaunchIndirect, memories, name_of, perform
from krnlpy.buffers.buffer import Buffer
from krnlpy.buffers.struct_buffer import StructBuffer
from krnlpy.device import Device
from krnlpy.errors import CaptureError, DtypeError, LaunchError
from krnlpy.locks import is_mine
from krnlpy.views.view import View, unwatched, watchers

from . import temporaries
from .parameters import Parameter, is_same, parameters_in, resolved

if TYPE_CHECKING:
    from .fusion.rewrite import Rewrite


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

    def moved(self, to: temporaries.To) -> _Call:
        """The call with other memory."""
        keywords = {name: temporaries.moved_argument(argument, to) for name, argument in self.keywords.items()}
        arguments = tuple(temporaries.moved_argument(argument, to) for argument in self.arguments)
        return self._replace(arguments=arguments, keywords=keywords)


class _Step(NamedTuple):
    """Commands of a graph, the memory that was allocated meanwhile, and the call that they all came from, if it must be
    made again when a parameter changes."""

    commands: tuple[Command, ...]
    allocated: tuple[Any, ...]
    call: _Call | None

    def moved(self, to: temporaries.To) -> _Step:
        """The step with other memory."""
        commands = tuple(temporaries.moved(command, to) for command in self.commands)
        call = None if self.call is None else self.call.moved(to)
        return _Step(commands, tuple(map(to, self.allocated)), call)


class _Content(NamedTuple):
    """What a graph does. It is one object, so that an interruption sees the old or the new one."""

    steps: list[_Step]
    values: Mapping[str, Any]
    commands: tuple[Command, ...]
    recording: Any
    rewrite: Rewrite | None = None


def _step_of(recorder: capture.Recorder, call: _Call | None = None) -> _Step:
    """What was recorded since the last step."""
    step = _Step(tuple(recorder.commands), tuple(recorder.allocated), call)
    recorder.commands.clear()
    recorder.allocated.clear()
    return step


def _commands_of(steps: list[_Step]) -> tuple[Command, ...]:
    return tuple(command for step in steps for command in step.commands)


def _names_of(step: _Step) -> frozenset[str]:
    """The parameters with which a step changes."""
    return frozenset() if step.call is None else step.call.names


def _kept(argument: Any) -> Any:
    """An argument as the graph keeps it: buffers do not count as held by somebody because of it."""
    if isinstance(argument, list | tuple):
        return [_kept(part) for part in argument]
    return unwatched(argument) if argument.__class__ is Buffer else argument


def _memory_of(buffer: Any) -> Any:
    """A buffer's memory; of an empty buffer something that no command has."""
    if not isinstance(buffer, Buffer):
        raise DtypeError(f"a graph uses buffers, not {type(buffer).__name__}")
    return buffer if buffer.memory is None else buffer.memory


def _is_alike(a: Command, b: Command) -> bool:
    """Whether commands differ in numbers at most."""
    if a is b:
        return True
    if isinstance(a, Launch) and isinstance(b, Launch):
        return a[:3] == b[:3]
    if isinstance(a, LaunchIndirect) and isinstance(b, LaunchIndirect):
        return a[:3] == b[:3]
    return isinstance(a, Fill) and isinstance(b, Fill) and a[:3] == b[:3]


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
        self._made: list[ref[View]] = []  # while it is captured
        self._held: set[int] = set()
        self._content = _Content([], self._values, (), None)

    # ------------------------------------------------------------------------------------------------------- capture

    def __enter__(self) -> Graph:
        if self._recorder is not None or self._state.startswith("was"):
            raise CaptureError("a graph is captured once; device.capture() makes a new one")
        recorder = capture.Recorder(self._device.backend, self._take)
        capture.begin(recorder)
        watchers[id(self._made)] = self._made
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
        del watchers[id(self._made)]
        self._held = {id(view.memory) for made in self._made if (view := made()) is not None}
        self._made = []
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
        kept = {name: _kept(argument) for name, argument in keywords.items()}
        names = frozenset(parameter.name for parameter in parameters)
        call = _Call(names, function, tuple(map(_kept, arguments)), kept)
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
            self._commit(steps, new, fused=self._content.rewrite is not None)

    def _commit(self, steps: list[_Step], values: Mapping[str, Any], fused: bool = False) -> None:
        steps = self._without_unused(steps)
        if fused:
            steps = self._with_temporaries(steps)
        captured = _commands_of(steps)
        names = [_names_of(step) for step in steps for _ in step.commands]
        rewrite = self._rewritten(steps, captured) if fused else None
        commands = captured
        if rewrite is not None:
            commands = tuple(rewrite.commands)
            names = [frozenset().union(*(names[n] for n in entry.numbers)) for entry in rewrite.entries]
        pieces = [tuple(commands[n] for n in group) for _, group in groupby(range(len(commands)), names.__getitem__)]
        # A graph with a kernel that is waited for can't be submitted as a whole.
        waits = [_needs_wait(command) for command in commands]  # all of them are asked: some raise
        recording = None
        if not any(waits):
            recording = self._device.backend.record(pieces, self._content.recording)
        self._content = _Content(steps, values, commands, recording, rewrite)

    def _without_unused(self, steps: list[_Step]) -> list[_Step]:
        """Steps without the memory that no command uses."""
        if not any(step.allocated for step in steps):
            return steps
        used = {id(memory) for command in _commands_of(steps) for memory in memories(command)}
        return [step._replace(allocated=tuple(m for m in step.allocated if id(m) in used)) for step in steps]

    def _with_temporaries(self, steps: list[_Step]) -> list[_Step]:
        """Steps in which stand-ins take the place of memory that nobody holds and that may lie anywhere."""
        made = [memory for step in steps for memory in step.allocated if id(memory) not in self._held]
        found = temporaries.found_in(_commands_of(steps), made, self._device.info)
        return [step.moved(lambda memory: found.get(id(memory), memory)) for step in steps] if found else steps

    def fuse(self) -> None:
        """Rewrites what was captured into fewer commands that leave the same bits in all buffers that somebody held
        when the capture ended.

        What is written only to be copied is written to where it is copied to. What nobody reads is not done. Kernels
        that read what others wrote at the same index become one kernel with them, which is compiled. Buffers that
        nobody held share memory where no command needs both. :meth:`explain` tells what was done, and what not. In
        debug mode, nothing is.

        Raises:
            CaptureError: the graph is not, or not yet, captured.

        >>> from krnlpy import Buffer, Device, Item, ItemMut, f32, kernel
        >>> @kernel
        ... def double(x: Item[f32], y: ItemMut[f32]):
        ...     y = 2.0 * x
        >>> x, z = Buffer.ones(2), Buffer.empty(2)
        >>> with Device.host().capture() as graph:
        ...     y = Buffer.empty(2)
        ...     double(x, y)
        ...     double(y, z)
        ...     del y
        >>> graph.fuse()
        >>> graph.replay()
        >>> len(graph), z.numpy()
        (1, array([4., 4.], dtype=float32))
        """
        if self._state:
            raise CaptureError(f"the graph {self._state}")
        with self._lock:
            if not config.debug:
                self._commit(self._content.steps, self._content.values, fused=True)
                # What the capture took, and what eager work did before, is not needed again soon.
                self._device.backend.trim()

    def _rewritten(self, steps: list[_Step], captured: tuple[Command, ...]) -> Rewrite:
        """The rewrite of what was captured; the one there is, where only numbers differ."""
        from .fusion.rewrite import Rewrite  # few graphs need it

        rewrite = self._content.rewrite
        before = _commands_of(self._content.steps)
        if rewrite is not None and len(before) == len(captured) and all(map(_is_alike, before, captured)):
            pairs = enumerate(zip(before, captured, strict=True))
            return rewrite.updated(captured, {n for n, (a, b) in pairs if a is not b})
        buffers = {name for name, value in self._values.items() if isinstance(value, Buffer | StructBuffer)}
        names = [_names_of(step) for step in steps for _ in step.commands]
        replaced = {n for n, of in enumerate(names) if not buffers.isdisjoint(of)}
        made = {id(memory) for step in steps for memory in step.allocated}
        return Rewrite(self._device.backend, captured, replaced, made - self._held)

    def explain(self) -> str:
        """What a replay does, for people: the commands in order, what :meth:`fuse` made of those captured, and what it
        could not do, with the reason and how often.

        >>> from krnlpy import Buffer, Device
        >>> x = Buffer.zeros(2)
        >>> with Device.host().capture() as graph:
        ...     x.fill(1.0)
        >>> print(graph.explain())
        1 command, as captured
          1 fill
        """
        commands, rewrite = self._commands(), self._content.rewrite
        names = [name_of(c) for c in commands] if rewrite is None else [entry.name for entry in rewrite.entries]
        count = len(_commands_of(self._content.steps))
        made = "as captured" if rewrite is None else f"made of {count} that were captured"
        lines = [f"{len(commands)} command{'s' * (len(commands) != 1)}, {made}"]
        lines += [f"{n:3} {name}" for n, name in enumerate(names, 1)]
        if rewrite is not None and rewrite.sharing.count:
            lines += [f"memory: {rewrite.sharing}"]
        if rewrite is not None and rewrite.done:
            lines += ["done:", *(f"    {text}" for text in rewrite.done)]
        if rewrite is not None and rewrite.refused:
            lines += ["not done:", *(f"{n:3} x {text}" for text, n in rewrite.refused.most_common())]
        return "\n".join(lines)

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
        """Bytes of the buffers that were made while the graph was captured, and that it keeps because it uses them.
        After :meth:`fuse`, buffers that nobody holds share bytes."""
        allocated = (memory for step in self._content.steps for memory in step.allocated)
        alone: int = sum(memory.nbytes for memory in allocated if not isinstance(memory, temporaries.Temporary))
        rewrite = self._content.rewrite
        return alone + (0 if rewrite is None else rewrite.sharing.nbytes)

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
