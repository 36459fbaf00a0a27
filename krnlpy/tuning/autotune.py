"""``@autotune``: kernels that choose, by measuring, how they are best launched on the device at hand."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, update_wrapper
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from krnlpy import config as settings
from krnlpy.backend import labels, recorder
from krnlpy.backend.protocol import Backend
from krnlpy.buffers.buffer import Buffer
from krnlpy.buffers.struct_buffer import StructBuffer
from krnlpy.dsl.builtins.marker import Launched
from krnlpy.dsl.ir.text import program_text
from krnlpy.errors import CaptureError, KrnlpyError, LaunchError, LimitExceeded, MissingFeatures
from krnlpy.kernels.arguments import in_order, resolve_types
from krnlpy.kernels.definition import Definition
from krnlpy.kernels.kernel import Kernel
from krnlpy.locks import renew_after_fork
from krnlpy.log import logger
from krnlpy.tracebacks import hide_own_frames, hiding_own_frames

from .choices import Choices, Situation
from .trials import ArgumentCopies, Tolerance, TuningResult, described, fastest
from .variation import varied

Config = Mapping[str, Any]
Groups = Callable[..., int | tuple[int, ...]]


def autotune(
    configs: Iterable[Config],
    *,
    key: Iterable[str] | Callable[..., Any] = (),
    groups: Groups | None = None,
    rtol: float = 0.0,
    atol: float = 0.0,
    seconds: float = 2.0,
    budget: float | None = None,
) -> Callable[[Kernel], TunedKernel]:
    """Makes a kernel choose among configurations by measuring them when it is first called.

    The choice is made once for each device, driver, types of the buffers, and value of ``key``, and is remembered in
    ``config.cache_dir`` for other processes. Before it is made, each configuration runs once on copies of what the
    kernel writes (the buffers handed over stay as they are; the copies take as much memory as these on the device, and
    twice as much on the host), and all must compute the same. Where all elements of a buffer of floats are equal, such
    as zeros, they run on random numbers in place of these as well. What the device can't run is left out. Times are
    the device's own where it has timestamps.

    The first configuration is used, and nothing measured, on the interpreter, in debug mode, and with
    ``KRNLPY_AUTOTUNE=0``.

    Args:
        configs: the choices: mappings from names of ``Spec`` parameters to values, and from ``"threads"`` to the
            threads of a group, an int or a tuple.
        key: what else the choice depends on: names of parameters, of which the shapes of buffers and the values of
            numbers are meant; or a function of the kernel's arguments that returns a number, a text, None, or a tuple
            of these.
        groups: a function of the configuration and the kernel's arguments that returns the groups to launch, an int or
            a tuple, where they depend on the configuration. Kernels with items need none; others may be launched by
            ``with_groups`` and ``with_global_threads`` instead.
        rtol, atol: by how much floats that configurations compute may differ: ``atol + rtol * abs(value)``. Not by a
            bit if not given; integers and truth values never.
        seconds: to measure for at most, beside compiling each configuration and running it once.
        budget: seconds for all of it, compiling included: configurations whose turn has not come by then are left out,
            but for the first that runs. None: as long as it takes.

    Raises:
        LaunchError: a configuration does not fit the kernel's parameters, is given twice, or there is none.

    >>> from krnlpy import Buffer, ItemMut, Spec, autotune, f32, kernel, u32
    >>> @autotune([{"threads": 64}, {"threads": 128}, {"threads": 256}], key=["x"])
    ... @kernel
    ... def double(x: ItemMut[f32]):
    ...     x *= 2.0
    >>> x = Buffer.ones(1000, f32)
    >>> double(x)
    >>> float(x.numpy()[0])
    2.0
    """

    def decorate(kernel: Kernel) -> TunedKernel:
        if not isinstance(kernel, Kernel):
            raise LaunchError(f"autotune takes a kernel; got {kernel!r}: put @autotune(...) above @kernel")
        if not callable(key) and isinstance(key, str):
            raise LaunchError(f"{kernel.name}: key={key!r}: expected a list of names: [{key!r}]")
        return TunedKernel(kernel, _Tuning(kernel, list(configs), key, Tolerance(rtol, atol), seconds, budget), groups)

    return decorate


class _Tuning:
    """What all launchers of a tuned kernel share."""

    def __init__(
        self,
        kernel: Kernel,
        configs: Sequence[Config],
        key: Iterable[str] | Callable[..., Any],
        tolerance: Tolerance,
        seconds: float,
        budget: float | None,
    ) -> None:
        if not configs:
            raise LaunchError(f"{kernel.name}: autotune needs at least one configuration")
        for config in configs:
            configured(kernel, config)  # raises what is wrong with it
        self.configs = [MappingProxyType({name: _plain(value) for name, value in c.items()}) for c in configs]
        texts = [json.dumps(dict(c), sort_keys=True) for c in self.configs]
        for i, text in enumerate(texts):
            if text in texts[:i]:
                raise LaunchError(f"{kernel.name}: the configuration {described(self.configs[i])} is given twice")
        declared = [d.name for d in kernel.signature.declared if d.kind != "spec"]
        self.key_function = key if callable(key) else None
        names = [] if callable(key) else list(key)
        if unknown := [name for name in names if name not in declared]:
            raise LaunchError(f"{kernel.name}: key names {unknown[0]!r}; its parameters are {', '.join(declared)}")
        self.key_places = [declared.index(name) for name in names]
        self.tolerance = tolerance
        self.seconds = seconds
        self.budget = budget
        self.choices = Choices(kernel.name, self.configs)
        self.fixed: int | None = None
        self.known: dict[Any, int] = {}
        """Choices by what costs little to find out of a call."""
        self.lock = threading.RLock()
        renew_after_fork(self, "lock")
        self.texts = "\n".join(texts)

    def key_of(self, name: str, call: _Call) -> Any:
        """What the user's key says of a call."""
        if self.key_function is None:
            found = [call.arguments[i] for i in self.key_places]
            return tuple([a.shape if a.__class__ is Buffer else _fact(name, a) for a in found])
        return _checked_key(name, self.key_function(*call.told))

    def number(self, name: str, config: Config) -> int:
        """The place of a configuration. Raises LaunchError if there is no such configuration."""
        if not isinstance(config, Mapping):
            raise LaunchError(f"{name}: a configuration is a mapping such as {{'threads': 64}}; got {config!r}")
        plain = {key: _plain(value) for key, value in config.items()}
        for i, own in enumerate(self.configs):
            if json.dumps(dict(own), sort_keys=True) == json.dumps(plain, sort_keys=True):
                return i
        listed = "; ".join(map(described, self.configs))
        raise LaunchError(f"{name}: no configuration {described(plain)}; there are: {listed}")


class _Call(NamedTuple):
    """A call of a tuned kernel.

    Attributes:
        kernel: without a configuration; of a method, the kernel that takes what it needs of its object as arguments.
        arguments: the kernel's, in order.
        told: what the user's functions are given: the arguments of the function that was decorated, in order.
    """

    kernel: Kernel
    arguments: tuple[Any, ...]
    told: tuple[Any, ...]


class TunedKernel(Launched):
    """A kernel that chooses among configurations; see :func:`autotune`. It is called, and launchers are made of it, as
    of a :class:`Kernel`."""

    def __init__(
        self,
        kernel: Kernel,
        tuning: _Tuning,
        groups: Groups | None,
        launchers: dict[tuple[Definition, int], Kernel] | None = None,
    ) -> None:
        self._kernel = kernel
        self._tuning = tuning
        self._groups = groups
        self._launchers = {} if launchers is None else launchers
        update_wrapper(self, kernel, updated=())

    def __get__(self, instance: Any, owner: type | None = None) -> TunedKernel:
        """As a method it is bound to the object that it is looked up in; as anything else it is what it is."""
        kernel = self._kernel.__get__(instance, owner)
        if kernel is self._kernel:
            return self
        return TunedKernel(kernel, self._tuning, self._groups, self._launchers)

    @property
    def name(self) -> str:
        """The function's name."""
        return self._kernel.name

    @property
    def kernel(self) -> Kernel:
        """The kernel without any configuration."""
        return self._kernel

    def with_config(self, config: Config) -> Kernel:
        """The kernel with one of the configurations, as a kernel that chooses nothing. Where the configurations say how
        many groups there are, it needs ``with_groups``."""
        return configured(self._kernel, self._tuning.configs[self._tuning.number(self.name, config)])

    @property
    def configs(self) -> tuple[Config, ...]:
        """What there is to choose from."""
        return tuple(self._tuning.configs)

    # ---------------------------------------------------------------------------------------------------- launchers

    def with_groups(self, x: int, y: int = 1, z: int = 1) -> TunedKernel:
        """As :meth:`Kernel.with_groups`, for all configurations."""
        return TunedKernel(self._kernel.with_groups(x, y, z), self._tuning, None)

    def with_groups_from(self, counts: Buffer) -> TunedKernel:
        """As :meth:`Kernel.with_groups_from`, for all configurations."""
        return TunedKernel(self._kernel.with_groups_from(counts), self._tuning, None)

    def with_global_threads(self, x: int, y: int = 1, z: int = 1) -> TunedKernel:
        """As :meth:`Kernel.with_global_threads`: the groups follow from each configuration's threads."""
        return TunedKernel(self._kernel.with_global_threads(x, y, z), self._tuning, None)

    def with_threads(self, x: int, y: int = 1, z: int = 1) -> TunedKernel:
        """As :meth:`Kernel.with_threads`. Raises LaunchError where the configurations say how many."""
        self._check_free("threads")
        return TunedKernel(self._kernel.with_threads(x, y, z), self._tuning, self._groups)

    def specialize(self, **values: Any) -> TunedKernel:
        """As :meth:`Kernel.specialize`. Raises LaunchError for what the configurations have values for."""
        for name in values:
            self._check_free(name)
        return TunedKernel(self._kernel.specialize(**values), self._tuning, self._groups)

    def _check_free(self, name: str) -> None:
        if any(name in config for config in self._tuning.configs):
            raise LaunchError(
                f"{self.name}: its configurations choose {name}; .set_config() fixes one, and .kernel is the kernel"
                " without them"
            )

    # ------------------------------------------------------------------------------------------------------- choosing

    def set_config(self, config: Config | None) -> None:
        """Fixes one of the configurations for all calls from now on; None: chooses again."""
        self._tuning.fixed = None if config is None else self._tuning.number(self.name, config)

    @hiding_own_frames
    def config_for(self, *arguments: Any, **keywords: Any) -> Config:
        """The configuration that a call with these arguments uses; measured now if it was not before. Nothing is
        launched on the arguments themselves."""
        tuned, arguments = self._in_order(arguments, keywords)
        if tuned is not self:
            return tuned.config_for(*arguments)
        return self._tuning.configs[self._number(self._call(arguments))]

    @hiding_own_frames
    def tune(self, *arguments: Any, **keywords: Any) -> TuningResult:
        """Measures now, whatever was chosen before, and remembers the choice. The arguments stay as they are.

        Raises:
            TuningError: two configurations computed different values.
        """
        tuned, arguments = self._in_order(arguments, keywords)
        if tuned is not self:
            return tuned.tune(*arguments)
        call = self._call(arguments)
        with self._tuning.lock:
            return self._tune(call, self._situation(call))

    def save_tuning(self, path: str | Path) -> None:
        """Writes the choices made so far, and those loaded, to a file that can be shipped.

        Raises:
            FileError: it can't be written; a file that was there before is unchanged.
        """
        self._tuning.choices.save(path)

    def load_tuning(self, path: str | Path) -> int:
        """Takes choices from a file that :meth:`save_tuning` wrote; returns how many. Those for other devices, or of
        another source of the kernel, do no harm.

        Raises:
            TuningError: the file can't be read, is of another kernel, or is damaged.
        """
        self._tuning.known.clear()
        return self._tuning.choices.load(path)

    # ------------------------------------------------------------------------------------------------------- launch

    def __call__(self, *arguments: Any, **keywords: Any) -> None:
        """Queues a launch with the best configuration; see :meth:`Kernel.__call__`. The first call of its kind measures
        (see :func:`autotune`).

        Raises:
            TuningError: two configurations computed different values.
            CaptureError: this thread captures a graph, and there is no choice yet.
        """
        try:
            tuned, arguments = self._in_order(arguments, keywords)
            if tuned is not self:
                tuned(*arguments)
                return
            call = self._call(arguments)
            number = self._tuning.fixed
            if number is None:
                number = self._tuning.known.get(self._quick_key(call))
                if number is None:
                    number = self._number(call)
            self._launcher(number, call)(*call.arguments)
        except KrnlpyError as error:
            hide_own_frames(error)
            raise

    def _in_order(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[TunedKernel, tuple[Any, ...]]:
        """The kernel with the object, if it is a method, and the constants that a call gives; the other arguments."""
        tuned, definition = self, self._kernel.definition
        if definition.is_method and self._kernel.instance is None:
            if not arguments:
                raise LaunchError(f"{self.name} is a method: call it of an object, or give the object first")
            tuned, arguments = self.__get__(arguments[0]), arguments[1:]
        if keywords or len(arguments) != definition.arity:
            arguments, specs = in_order(definition.signature, arguments, keywords)
            tuned = tuned.specialize(**specs) if specs else tuned
        return tuned, arguments

    def _call(self, arguments: tuple[Any, ...]) -> _Call:
        kernel = self._kernel
        if not kernel.definition.is_method:
            return _Call(kernel, arguments, arguments)
        unbound, values = kernel.unbound(*arguments)
        return _Call(unbound, values, (kernel.instance, *arguments))

    def _launcher(self, number: int, call: _Call) -> Kernel:
        key = call.kernel.definition, number
        launcher = self._launchers.get(key)
        if launcher is None:
            launcher = self._launchers[key] = configured(call.kernel, self._tuning.configs[number])
        if self._groups is None:
            return launcher
        groups = self._groups(self._tuning.configs[number], *call.told)
        return launcher.with_groups(*(groups if isinstance(groups, tuple) else (groups,)))

    def _quick_key(self, call: _Call) -> Any:
        """What decides, in a form that costs little."""
        kinds = tuple([a.layout.kind if a.__class__ is Buffer else _kind(a) for a in call.arguments])
        key = self._tuning.key_of(self.name, call)
        return call.kernel.definition, call.kernel.configuration.key, kinds, key, settings.debug, settings.autotune

    def _number(self, call: _Call) -> int:
        """Which configuration to use."""
        tuning = self._tuning
        if tuning.fixed is not None:
            return tuning.fixed
        quick = self._quick_key(call)
        with tuning.lock:  # one thread tunes, the others wait for what it finds
            if quick in tuning.known:
                return tuning.known[quick]
            situation = self._situation(call)
            number = tuning.choices.get(situation)
            if number is None and self._is_measured(call):
                number = tuning.choices.recall(situation)
                if number is None:
                    number = tuning.number(self.name, self._tune(call, situation).config)
            if number is None:
                number = self._first(call)
            tuning.known[quick] = number
            return number

    def _is_measured(self, call: _Call) -> bool:
        backend = _backend(self.name, call.arguments)
        runs = backend.info.backend in ("vulkan", "host")
        return runs and settings.autotune and not settings.debug and len(self.configs) > 1

    def _first(self, call: _Call) -> int:
        """The first configuration that the device can run."""
        errors: list[Exception] = []
        for number in range(len(self.configs)):
            try:
                self._launcher(number, call).prepare(*call.arguments)
            except (LimitExceeded, MissingFeatures) as error:
                errors.append(error)
            else:
                return number
        raise errors[0]

    def _tune(self, call: _Call, situation: Situation) -> TuningResult:
        tuning, name, definition = self._tuning, self.name, call.kernel.definition
        if not self._is_measured(call):
            return TuningResult(tuning.configs[self._first(call)])
        backend = _backend(name, call.arguments)
        if recorder.current(backend) is not None:
            raise CaptureError(
                f"{name} is not tuned for these arguments yet, and can't be while a graph is captured: nothing runs;"
                " call it, or its .tune(), before"
            )
        launchers = [self._launcher(i, call) for i in range(len(self.configs))]
        launches = [partial(k.definition.launch, k.configuration, k.geometry) for k in launchers]
        with labels.label(backend, f"autotune {name}"):
            arguments = definition.taken_apart(call.arguments)
            copies = ArgumentCopies(definition.parameters, arguments)
            others = varied(arguments)
            checks = ArgumentCopies(definition.parameters, others) if others is not None else None
            timer, limits = backend.timer(), (tuning.tolerance, tuning.seconds, tuning.budget)
            try:
                result = fastest(name, tuning.configs, launches, copies, checks, timer, *limits)
            finally:
                timer.close()
        logger.info("tuned %s for %s, %s:\n%s", name, backend.info.name, situation.key, result)
        tuning.choices.remember(situation, tuning.number(name, result.config))
        self._tuning.known.clear()
        return result

    def _situation(self, call: _Call) -> Situation:
        kernel = call.kernel
        definition = kernel.definition
        flat = definition.taken_apart(call.arguments)
        given = {p.name: a for p, a in zip(definition.parameters, flat, strict=True)}
        types = resolve_types(definition.signature, given, {**self._tuning.configs[0], **kernel.configuration.specs})
        program = definition.program(types, kernel.configuration.threads)
        # Without the numbers of lines, so that a kernel that moved in its file is the same.
        text = re.sub(r"^ *\d* ", "", program_text(program), flags=re.MULTILINE)
        tuning = self._tuning
        parts = (
            text,
            tuning.texts,
            repr(tuning.tolerance),
            repr(kernel.configuration.key),
            str(definition.subgroup_threads),
        )
        source = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        info = _backend(self.name, call.arguments).info
        return Situation(self.name, info.name, info.driver, source, json.dumps(self._tuning.key_of(self.name, call)))

    def __repr__(self) -> str:
        return f"<tuned {self._kernel!r}, {len(self.configs)} configurations>"


def configured(kernel: Kernel, config: Config) -> Kernel:
    """A kernel with a configuration's threads and specialization constants. Raises LaunchError where they don't fit."""
    if not isinstance(config, Mapping):
        raise LaunchError(f"{kernel.name}: a configuration is a mapping such as {{'threads': 64}}; got {config!r}")
    for name, value in config.items():
        if name == "threads":
            kernel = kernel.with_threads(*(value if isinstance(value, tuple | list) else (value,)))
        else:
            kernel = kernel.specialize(**{name: value})
    return kernel


def _plain(value: Any) -> Any:
    """A value as JSON has it; tuples stay tuples, which are written as lists."""
    if isinstance(value, tuple | list):
        return tuple(map(_plain, value))
    return value.item() if isinstance(value, np.generic) else value


def _backend(name: str, arguments: Sequence[Any]) -> Backend:
    for argument in arguments:
        if isinstance(argument, Buffer | StructBuffer):
            return argument.device.backend
    raise LaunchError(f"{name} has no buffers among its arguments: nothing says where to run it")


def _kind(argument: Any) -> Any:
    if isinstance(argument, Buffer | StructBuffer):
        return argument.device.backend, argument.dtype
    return type(argument)


def _fact(name: str, argument: Any) -> Any:
    if isinstance(argument, Buffer | StructBuffer):
        return argument.shape
    return _checked_key(name, argument)


def _checked_key(name: str, value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple([_checked_key(name, part) for part in value])
    value = _plain(value)
    if value is None or isinstance(value, int | float | str):
        return value
    raise LaunchError(f"{name}: its key is {value!r}; expected a number, a text, None, or a tuple of these")
