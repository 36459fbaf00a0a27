"""Definitions: what all launchers of a kernel share, and how one of them is launched."""

from __future__ import annotations

import reprlib
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from krnlpy import config
from krnlpy.backend.protocol import BuildRequest
from krnlpy.errors import LaunchError
from krnlpy.locks import renew_after_fork
from krnlpy.scalar import ScalarType

from .arguments import Number, check_buffer, converter, resolve_types
from .checks import check_buffers, check_types
from .configuration import DEFAULT_THREADS, Configuration, Geometry, Triple, check_threads, default_threads
from .defects import compiling
from .plan import AnyDispatch, Plan

if TYPE_CHECKING:
    from krnlpy.device import Device
    from krnlpy.dsl.frontend.receiver import Receiver
    from krnlpy.dsl.frontend.signature import Signature
    from krnlpy.dsl.ir import Program
    from krnlpy.dsl.ir.layout import Variant

    from .split_plan import SplitPlan


compile_hooks: list[Any] = []
"""Called for each kernel that is built; see krnlpy/hooks.py."""
launch_hooks: list[Any] = []
"""Called for each call of a kernel."""

_MOST_DISPATCHES = 1 << 10
"""More are made anew when they are needed: for launches on ever new shapes, they would pile up."""


class Definition:
    """What all launchers of a kernel share: its parameters, and all that was compiled of it.

    Methods take arguments as a tuple with one for each parameter of the compiled kernel: those of composite types are
    :meth:`taken_apart`.

    Args:
        receiver: of a kernel that is a method, the object that it is compiled for.
    """

    is_method = False
    """Whether it takes an object; see methods.py."""

    def __init__(
        self, signature: Signature, unchecked: bool, subgroup_threads: int, receiver: Receiver | None = None
    ) -> None:
        self.signature = signature
        self.receiver = receiver
        self.unchecked = unchecked
        self.subgroup_threads = subgroup_threads
        self.parameters = [p for p in signature.parameters if p.kind != "spec"]
        self.specs = {p.name: p for p in signature.parameters if p.kind == "spec"}
        self.arity = sum(d.kind != "spec" for d in signature.declared)
        self.has_composites = any(d.is_composite for d in signature.declared)
        self.buffers = [i for i, p in enumerate(self.parameters) if p.kind in ("item", "global")]
        self.has_items = any(p.kind == "item" for p in self.parameters)
        fixed = {self.parameters[i].type for i in self.buffers}
        # Numbers whose own types decide what a type variable stands for.
        self.deciding = [
            i
            for i, p in enumerate(self.parameters)
            if p.kind == "scalar" and isinstance(p.type, TypeVar) and p.type not in fixed
        ]
        self.programs: dict[tuple[ScalarType, ...], Program] = {}
        self.executables: dict[Any, Any] = {}
        self.plans: dict[Any, AnyPlan] = {}
        self.dispatches: dict[Any, AnyDispatch] = {}
        self.lock = threading.RLock()
        renew_after_fork(self, "lock")

    def of(
        self, instance: Any, arguments: tuple[Any, ...], configuration: Configuration, specs: Mapping[str, Any]
    ) -> tuple[Definition, tuple[Any, ...]]:
        """Of a method, the definition for an object, which takes attributes of it as arguments, too; and these.

        Args:
            arguments: those beside the object, in order.
            specs: values of ``Spec`` parameters that the call gives.
        """
        raise NotImplementedError

    def variant(self, instance: Any, types: dict[TypeVar, ScalarType]) -> Definition:
        """Of a method, the definition for an object and for what the type variables stand for."""
        raise NotImplementedError

    def forget(self) -> None:
        """Lets go of all that was built."""
        for built in (self.dispatches, self.plans, self.executables):
            built.clear()

    def _forget_lost(self) -> None:
        """Lets go of what was built for devices that are lost."""
        for key in [key for key, plan in self.plans.items() if plan.backend.lost]:
            del self.plans[key]
            self.dispatches.clear()
        for key in [key for key in self.executables if key[0].lost]:
            del self.executables[key]

    def program(self, types: dict[TypeVar, ScalarType], threads: Triple | None = None) -> Program:
        """The kernel for what its type variables stand for."""
        key = tuple(types[v] for v in self.signature.type_variables)
        with self.lock:
            if key not in self.programs:
                from krnlpy.dsl.frontend.syntax import functions as frontend

                threads = threads or DEFAULT_THREADS
                with compiling(self.signature.function):
                    self.programs[key] = frontend.lower(
                        self.signature, types, threads, self.unchecked, self.subgroup_threads, self.receiver
                    )
            return self.programs[key]

    def spec_values(self, configuration: Configuration, types: Mapping[TypeVar, ScalarType]) -> dict[str, Number]:
        """A value for each ``Spec`` parameter: the one that was given, or its default.

        Raises:
            LaunchError: there is none, or it does not fit the parameter's type.
        """
        name, values = self.signature.name, {}
        for spec, parameter in self.specs.items():
            value = configuration.specs.get(spec, parameter.default)
            if value is None:
                raise LaunchError(f"{name}: {spec} has no value and no default; .specialize({spec}=...) gives it one")
            type = types[parameter.type] if isinstance(parameter.type, TypeVar) else parameter.type
            values[spec] = converter(f"{name}: {spec}", type)(value)
        return values

    def taken_apart(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of a call as those of the compiled kernel."""
        if not self.has_composites:
            return arguments
        from .composite_arguments import taken_apart  # as in kernel.py

        return taken_apart(self.signature, arguments)

    def launch(self, configuration: Configuration, geometry: Geometry, arguments: Sequence[Any]) -> None:
        """Queues a launch."""
        # The hot path: every line here costs each launch. (Loops that append take half the time of comprehensions.)
        facts = [configuration.key, config.debug]
        try:
            for i in self.buffers:
                facts.append(arguments[i].layout)
            for i in self.deciding:
                facts.append(arguments[i].__class__)
            key = tuple(facts)
            dispatch = self.dispatches.get(key)
        except (AttributeError, TypeError):  # something else than a buffer
            dispatch = key = None
        if dispatch is None:
            dispatch = self._dispatch(configuration, key, arguments)
        dispatch.launch(geometry, arguments)

    def _dispatch(self, configuration: Configuration, key: Any, arguments: Sequence[Any]) -> AnyDispatch:
        """What launches the kernel with buffers of such layouts; it is kept under the key."""
        self._check_buffers(arguments)
        debug, *facts = key[1:]
        count = len(self.buffers)
        kinds = configuration.key, debug, *[layout.kind for layout in facts[:count]], *facts[count:]
        plan = self.plans.get(kinds)
        if plan is None:
            plan = self._plan(configuration, arguments)
            self.plans[kinds] = plan
        dispatch = plan.dispatch(arguments)
        if len(self.dispatches) >= _MOST_DISPATCHES:
            self.dispatches.clear()
        self.dispatches[key] = dispatch
        return dispatch

    def _check_buffers(self, arguments: Sequence[Any]) -> None:
        for i in self.buffers:
            check_buffer(self.signature.name, self.parameters[i], arguments[i])
        if not self.buffers:
            raise LaunchError(
                f"{self.signature.name} has no buffers: nothing says where to run it, or would show that it ran"
            )

    def prepare(self, configuration: Configuration, arguments: Sequence[Any]) -> None:
        """Compiles what a launch needs."""
        self._check_buffers(arguments)
        self._plan(configuration, arguments).prepare(arguments)

    def _plan(self, configuration: Configuration, arguments: Sequence[Any]) -> AnyPlan:
        name, parameters = self.signature.name, self.parameters
        check_buffers(name, parameters, arguments)
        given = {p.name: a for p, a in zip(parameters, arguments, strict=True)}
        types = resolve_types(self.signature, given, configuration.specs)
        check_types(name, parameters, arguments, types)
        specs = self.spec_values(configuration, types)
        device = arguments[self.buffers[0]].device
        with self.lock:
            program = self.program(types, configuration.threads)
            threads = configuration.threads or default_threads(program, device.info)
            check_threads(name, threads, device.info)
            self._forget_lost()
            plan: AnyPlan
            launch = partial(self.launch, configuration)
            if all(arguments[i].can_be_indexed for i in self.buffers):
                build = partial(self._build, configuration, device, program, specs, threads)
                plan = Plan(name, parameters, arguments, types, program, threads, build, launch)
            else:
                from .split_plan import SplitPlan  # few programs need it

                prepare = partial(self.prepare, configuration)
                plan = SplitPlan(name, parameters, arguments, program, launch, prepare)
            if config.debug:
                plan = _WatchedPlan(plan, self.signature)
        return plan

    def _build(
        self,
        configuration: Configuration,
        device: Device,
        program: Program,
        specs: dict[str, Number],
        threads: Triple,
        variant: Variant,
    ) -> Any:
        from krnlpy.dsl.passes.array_sizes import check_array_sizes  # as in kernel.py

        backend, info = device.backend, device.info
        key = (backend, program, variant, configuration.key, threads, config.debug)
        with self.lock:
            if key in self.executables:
                return self.executables[key]
            from krnlpy.cache.store import last_lookup
            from krnlpy.log import logger

            check_array_sizes(program, specs)
            last_lookup.found = False
            begin = perf_counter()
            with compiling(self.signature.function, f"{info.name}, {info.driver}"):
                request = BuildRequest(program, variant, specs, threads, config.debug)
                executable = backend.build(request)
            seconds, from_cache = perf_counter() - begin, last_lookup.found
            executable.name = configuration.named(program.name)
            executable.request = request
            self.executables[key] = executable
            logger.info("built %s for %s in %.1f ms", executable.name, info.name, 1e3 * seconds)
        if compile_hooks:  # without the lock
            from .events import Compilation, tell

            tell(compile_hooks, Compilation(self.signature.name, device, configuration, seconds, from_cache))
        return executable


class _WatchedPlan:
    """A plan of debug mode: it launches nothing where the kernel captured what has changed since."""

    def __init__(self, plan: Plan | SplitPlan, signature: Signature) -> None:
        self._plan = plan
        self._signature = signature
        self.backend = plan.backend

    def dispatch(self, arguments: Sequence[Any]) -> AnyDispatch:
        return _WatchedDispatch(self._plan.dispatch(arguments), self._signature)

    def prepare(self, arguments: Sequence[Any]) -> None:
        self._plan.prepare(arguments)


class _WatchedDispatch:
    def __init__(self, dispatch: AnyDispatch, signature: Signature) -> None:
        self._dispatch, self._signature = dispatch, signature

    def launch(self, geometry: Geometry, arguments: Sequence[Any]) -> None:
        from krnlpy.dsl.frontend.captures import changed  # as in kernel.py

        for name, then, now in changed(self._signature.captured):
            if (was := reprlib.repr(then)) == (is_now := reprlib.repr(now)):
                is_now = f"another {is_now}"
            raise LaunchError(
                f"{self._signature.name}: {name} was {was} when the kernel was compiled, and is {is_now} now; a kernel"
                " keeps what it captured: make what changes a parameter"
            )
        self._dispatch.launch(geometry, arguments)


AnyPlan: TypeAlias = "Plan | SplitPlan | _WatchedPlan"
