"""Kernels: Python functions that devices run."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Mapping
from functools import update_wrapper
from math import prod
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, overload

from krnlpy import config
from krnlpy.backend.protocol import Backend
from krnlpy.backend.recorder import is_taken, recorders
from krnlpy.device_info import DeviceInfo
from krnlpy.errors import DtypeError, LaunchError, LimitExceeded, ShapeError
from krnlpy.locks import renew_after_fork
from krnlpy.scalar import ScalarType, u32
from krnlpy.views.view import View

from .arguments import Number, check_buffer, converter, in_order, resolve_types
from .defects import compiling
from .parts import PartsPlan
from .plan import Plan, check_buffers, check_types

if TYPE_CHECKING:
    from krnlpy.device import Device
    from krnlpy.dsl.frontend.signature import Signature
    from krnlpy.dsl.ir import Program
    from krnlpy.dsl.ir.layout import Variant

Triple = tuple[int, int, int]

DEFAULT_THREADS: Triple = (256, 1, 1)


@overload
def kernel(function: Callable[..., Any], /) -> Kernel: ...


@overload
def kernel(
    *, threads: int | tuple[int, ...] | None = None, unchecked: bool = False, subgroup_threads: int = 0
) -> Callable[[Callable[..., Any]], Kernel]: ...


def kernel(
    function: Callable[..., Any] | None = None,
    /,
    *,
    threads: int | tuple[int, ...] | None = None,
    unchecked: bool = False,
    subgroup_threads: int = 0,
) -> Any:
    """Makes a kernel of a function. Its annotations are read now, its body when it is first called.

    Names from outside, numbers and functions of the module or of enclosing functions, are captured by value when the
    kernel is first compiled, and stay what they were then, whatever is assigned to them later: a number that changes
    is a parameter. The text of the function must be found in a file, a notebook cell, a doctest, or the prompt of
    Python 3.13.

    Args:
        function: a plain ``def`` whose parameters are annotated by scalar types, ``Item``, ``ItemMut``, ``Global``,
            ``GlobalMut``, ``Out`` and ``Spec``.
        threads: threads of a group along x, y and z. If not given, 256, or as many as the device has where it has
            fewer and the kernel neither shares memory nor has barriers.
        unchecked: the kernel never indexes out of range, and is not checked for it (but in debug mode).
        subgroup_threads: the subgroup size that the kernel needs: a power of two; a device that has not that one
            raises LimitExceeded. 0: any size, which ``subgroup_threads()`` tells.

    Raises:
        KernelError: the parameters are not those of a kernel.

    >>> import numpy as np
    >>> from krnlpy import Buffer, Item, ItemMut, f32, kernel
    >>> @kernel
    ... def saxpy(alpha: f32, x: Item[f32], y: ItemMut[f32]):
    ...     y += alpha * x
    >>> x, y = Buffer.ones(3, f32), Buffer.ones(3, f32)
    >>> saxpy(2.0, x, y)
    >>> y.numpy()
    array([3., 3., 3.], dtype=float32)
    """
    if function is not None:
        return Kernel(function)
    return lambda function: Kernel(function, threads, unchecked, subgroup_threads)


class _Definition:
    """What all launchers of a kernel share: its parameters, and all that was compiled of it."""

    def __init__(self, signature: Signature, unchecked: bool, subgroup_threads: int) -> None:
        self.signature = signature
        self.unchecked = unchecked
        self.subgroup_threads = subgroup_threads
        self.parameters = [p for p in signature.parameters if p.kind != "spec"]
        self.specs = {p.name: p for p in signature.parameters if p.kind == "spec"}
        self.arity = sum(d.kind != "spec" for d in signature.declared)
        self.has_composites = any(len(d.leaves) > 1 for d in signature.declared)
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
        self.plans: dict[Any, Plan | PartsPlan] = {}
        self.lock = threading.RLock()
        renew_after_fork(self, "lock")

    def forget_lost(self) -> None:
        """Lets go of what was built for devices that are lost."""
        for key in [key for key, plan in self.plans.items() if plan.backend.lost]:
            del self.plans[key]
        for key in [key for key in self.executables if key[0].lost]:
            del self.executables[key]

    def program(self, types: dict[TypeVar, ScalarType], threads: Triple) -> Program:
        key = tuple(types[v] for v in self.signature.type_variables)
        if key not in self.programs:
            from krnlpy.dsl.frontend.syntax import functions as frontend

            with compiling(self.signature.function):
                self.programs[key] = frontend.lower(
                    self.signature, types, threads, self.unchecked, self.subgroup_threads
                )
        return self.programs[key]


class Kernel:
    """A kernel, with what is fixed of its launches. Made by the decorator :func:`kernel`.

    Calling it queues a launch on the device of its buffers, after compiling it where it is called with these types for
    the first time. The ``with_`` methods and :meth:`specialize` return new kernels that share what is compiled.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        threads: int | tuple[int, ...] | None = None,
        unchecked: bool = False,
        subgroup_threads: int = 0,
    ) -> None:
        from krnlpy.cache import shipped  # the compiler comes with the first kernel, and `import krnlpy` stays light
        from krnlpy.dsl.frontend.syntax import functions as frontend

        with compiling(function):
            signature = frontend.read_signature(function)
        shipped.announce(function.__module__)
        sizes = "a power of two up to 128, or 0 for any"
        if subgroup_threads.__class__ is not int or subgroup_threads not in (0, *(1 << n for n in range(8))):
            raise LaunchError(f"{signature.name}: subgroups of {subgroup_threads!r} threads; expected {sizes}")
        self._definition = _Definition(signature, unchecked, subgroup_threads)
        self._specs: dict[str, Any] = {}
        self._threads: Triple | None = None
        if threads is not None:
            self._threads = self._checked_threads(threads if isinstance(threads, tuple) else (threads,))
        self._groups: Triple | None = None
        self._global_threads: Triple | None = None
        self._group_counts: View | None = None
        self._built = self._build_key()
        update_wrapper(self, function)

    def _build_key(self) -> Any:
        # Values by their repr: 1, 1.0 and True are equal, as are 0.0 and -0.0, and NaN not even to itself.
        return (self._threads, *((name, repr(value)) for name, value in sorted(self._specs.items())))

    def _with(self, **changes: Any) -> Kernel:
        result = object.__new__(Kernel)
        result.__dict__.update(self.__dict__)
        result.__dict__.update(changes)
        if "_groups" not in changes and "_global_threads" not in changes:
            result._built = result._build_key()
        return result

    @property
    def name(self) -> str:
        """The function's name."""
        return self._definition.signature.name

    def _named(self, name: str) -> str:
        """A name with the constants that were given, as logs, profiles and lost devices tell it."""
        constants = ", ".join(f"{spec}={value}" for spec, value in self._specs.items())
        return f"{name}[{constants}]" if constants else name

    @property
    def signature(self) -> Signature:
        """The parameters as declared."""
        return self._definition.signature

    # ---------------------------------------------------------------------------------------------------- launchers

    def specialize(self, **values: Any) -> Kernel:
        """The kernel with values for its ``Spec`` parameters.

        Raises:
            LaunchError: no such spec, or a value that does not fit its type.
        """
        for name, value in values.items():
            spec = self._definition.specs.get(name)
            if spec is None:
                known = ", ".join(self._definition.specs) or "none"
                raise LaunchError(f"{self.name} has no Spec parameter {name}; it has {known}")
            if not isinstance(spec.type, TypeVar):
                values[name] = converter(f"{self.name}: {name}", spec.type)(value)
        return self._with(_specs={**self._specs, **values})

    def with_threads(self, x: int, y: int = 1, z: int = 1) -> Kernel:
        """The kernel with groups of so many threads.

        Raises:
            LaunchError: a number below 1, or more than one axis for a kernel with items.
        """
        return self._with(_threads=self._checked_threads((x, y, z)))

    def with_groups(self, x: int, y: int = 1, z: int = 1) -> Kernel:
        """The kernel launched with so many groups. Kernels with items need none: it follows from the items.

        Raises:
            LaunchError: a negative number, or more than one axis for a kernel with items.
        """
        return self._with(_groups=self._geometry("groups", (x, y, z), 0), _global_threads=None, _group_counts=None)

    def with_groups_from(self, counts: View) -> Kernel:
        """The kernel launched with as many groups as a buffer says when the launch runs: what kernels before it wrote
        there need not come to the host first. (Vulkan's indirect dispatch.)

        The counts may be 0, and are at most ``Device.info.max_groups_xyz`` (on the host and in the interpreter, what
        ids can count). Nobody checks this but debug mode, which reads them first; more may be anything from no groups
        to a lost device.

        Args:
            counts: three contiguous u32, along x, y and z, on the device of the kernel's buffers; the kernel itself
                does not write them.

        Raises:
            LaunchError: not such a buffer, or the kernel has items, which say how many groups it takes. DtypeError,
                ShapeError: a buffer of another type or shape.

        >>> import numpy as np
        >>> from krnlpy import Buffer, GlobalMut, kernel, u32
        >>> from krnlpy.dsl import group_id
        >>> @kernel(threads=1)
        ... def mark(x: GlobalMut[u32]):
        ...     x[group_id(0)] = u32(1)
        >>> x, counts = Buffer.zeros(4, u32), Buffer.from_numpy(np.array([3, 1, 1], np.uint32))
        >>> mark.with_groups_from(counts)(x)
        >>> x.numpy()
        array([1, 1, 1, 0], dtype=uint32)
        """
        if self._definition.has_items:
            raise LaunchError(f"{self.name}: a kernel with items takes no counts of groups: they follow from the items")
        if not isinstance(counts, View):
            raise LaunchError(f"{self.name}: counts of groups: expected a Buffer, got {type(counts).__name__}")
        if counts.dtype is not u32:
            raise DtypeError(f"{self.name}: counts of groups are u32; got a buffer of {counts.dtype}")
        if counts.shape != (3,):
            raise ShapeError(f"{self.name}: counts of groups are 3, along x, y and z; got a buffer of {counts.shape}")
        if not counts.is_contiguous():
            raise LaunchError(f"{self.name}: counts of groups are contiguous; got strides {counts.strides}: .copy()")
        return self._with(_group_counts=counts, _groups=None, _global_threads=None)

    def with_global_threads(self, x: int, y: int = 1, z: int = 1) -> Kernel:
        """The kernel launched with at least so many threads, in whole groups: more threads than asked for may run.

        Raises:
            LaunchError: a negative number, or more than one axis for a kernel with items.
        """
        threads = self._geometry("global threads", (x, y, z), 0)
        return self._with(_global_threads=threads, _groups=None, _group_counts=None)

    def _checked_threads(self, threads: tuple[Any, ...]) -> Triple:
        if not 1 <= len(threads) <= 3:
            raise LaunchError(f"{self.name}: threads {threads}: groups have one to three axes")
        x, y, z = (*threads, 1, 1)[:3]
        return self._geometry("threads", (x, y, z), 1)

    def _geometry(self, what: str, numbers: tuple[Any, Any, Any], least: int) -> Triple:
        x, y, z = numbers
        if not (x.__class__ is y.__class__ is z.__class__ is int):
            try:
                if any(isinstance(n, bool) for n in numbers):
                    raise TypeError
                x, y, z = map(operator.index, numbers)
            except TypeError:
                raise LaunchError(f"{self.name}: {what} {numbers}: expected integers") from None
        if min(x, y, z) < least:
            raise LaunchError(f"{self.name}: {what} {numbers}: expected numbers of at least {least}")
        if self._definition.has_items and (y, z) != (1, 1):
            raise LaunchError(f"{self.name}: {what} {numbers}: a kernel with items has one axis")
        return x, y, z

    # --------------------------------------------------------------------------------------------------- inspection

    def inspect(
        self,
        stage: str = "glsl",
        *,
        types: Mapping[str, Any] | None = None,
        device: Device | None = None,
        strided: bool = False,
        debug: bool = False,
    ) -> str:
        """What the compiler makes of the kernel, with the specialization constants and threads that it has.

        Args:
            stage: ``ir``; ``glsl``, ``spirv`` and ``features`` for Vulkan; ``llvm`` and ``asm`` for the host.
            types: what type variables stand for, by name; f32 unless given.
            device: to compile for; if not given, one that has every feature.
            strided: for buffers that are not contiguous.
            debug: with checks of every index.

        Raises:
            InspectionError: no such stage, type variable or type. KernelError: the kernel is not valid.

        >>> from krnlpy import ItemMut, f32, kernel
        >>> @kernel
        ... def double(x: ItemMut[f32]):
        ...     x *= 2.0
        >>> print(double.inspect("features"))
        kernel        double
        needs         no optional feature
        group         256 x 1 x 1 threads
        group memory  0 bytes
        parameters    8 bytes, as push constants
        binding 0     x: f32, read and written
        """
        from . import inspection

        chosen = inspection.choose_types(self.signature, {} if types is None else types)
        with self._definition.lock:
            program = self._definition.program(chosen, self._threads or DEFAULT_THREADS)
        info = inspection.info_of(device)
        threads = self._threads or (DEFAULT_THREADS if info is None else default_threads(program, info))
        subject = inspection.Subject(program, threads, lambda: self._spec_values(chosen), info, debug, strided)
        with compiling(self.signature.function):
            return inspection.show(stage, subject)

    # ------------------------------------------------------------------------------------------------------- launch

    def __call__(self, *arguments: Any, **keywords: Any) -> None:
        """Queues a launch. Arguments are those of the function, by place or by name, but for ``Spec`` parameters,
        which have defaults, or values from :meth:`specialize`, or are given by name.

        Raises:
            LaunchError: arguments or geometry that don't fit the kernel; buffers on different devices.
            DtypeError: a buffer of another type than declared. ShapeError: items of unequal shapes, a buffer of other
                dimensions than declared.
            KernelError: the kernel is not valid. MissingFeatures, LimitExceeded: the device can't run it.
            KernelIndexError: an index out of range (interpreter and debug mode).
        """
        if recorders and is_taken(Kernel.__call__, (self, *arguments), keywords):
            return
        definition = self._definition
        if keywords or len(arguments) != definition.arity:
            arguments, specs = in_order(definition.signature, arguments, keywords)
            if specs:
                self.specialize(**specs)(*arguments)
                return
        if definition.has_composites:
            arguments = self._taken_apart(arguments)
        self._launch(arguments)

    def prepare(self, *arguments: Any, **keywords: Any) -> None:
        """Compiles what a call with such arguments needs, and launches nothing: the first launch will not wait for
        the compiler. Buffers may hold anything; their devices, types and layouts count.

        Raises:
            As a call, but for what depends on counts of items and groups.

        >>> from krnlpy import Buffer, ItemMut, f32, kernel
        >>> @kernel
        ... def double(x: ItemMut[f32]):
        ...     x *= 2.0
        >>> x = Buffer.ones(2, f32)
        >>> double.prepare(x)
        >>> x.numpy()
        array([1., 1.], dtype=float32)
        """
        definition = self._definition
        arguments, specs = in_order(definition.signature, arguments, keywords)
        if specs:
            self.specialize(**specs).prepare(*arguments)
            return
        if definition.has_composites:
            arguments = self._taken_apart(arguments)
        self._prepare(arguments)

    def _taken_apart(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        from .composite_arguments import taken_apart  # as in __init__

        return taken_apart(self._definition.signature, arguments)

    def _prepare(self, arguments: tuple[Any, ...]) -> None:
        """Compiles for arguments of the compiled kernel."""
        self._plan(None, arguments).prepare(self, arguments)

    def _launch(self, arguments: tuple[Any, ...]) -> None:
        """Queues a launch with an argument for each parameter of the compiled kernel."""
        # The hot path: every line here costs each launch. (Loops that append take half the time of comprehensions.)
        definition = self._definition
        parts = [self._built, config.debug]
        try:
            for i in definition.buffers:
                parts.append(arguments[i].launch_key)
            for i in definition.deciding:
                parts.append(arguments[i].__class__)
            key = tuple(parts)
            plan = definition.plans.get(key)
        except AttributeError:
            plan = key = None
        if plan is None:
            plan = self._plan(key, arguments)
        plan.launch(self, arguments)

    def _plan(self, key: Any, arguments: tuple[Any, ...]) -> Plan | PartsPlan:
        definition = self._definition
        for i in definition.buffers:
            check_buffer(self.name, definition.parameters[i], arguments[i])
        if not definition.buffers:
            raise LaunchError(f"{self.name} has no buffers: nothing says where to run it, or would show that it ran")
        parameters = definition.parameters
        check_buffers(self.name, parameters, arguments)
        given = {p.name: a for p, a in zip(parameters, arguments, strict=True)}
        types = resolve_types(definition.signature, given, self._specs)
        check_types(self.name, parameters, arguments, types)
        specs = self._spec_values(types)
        backend = arguments[definition.buffers[0]].device.backend
        with definition.lock:
            program = definition.program(types, self._threads or DEFAULT_THREADS)
            threads = self._threads or default_threads(program, backend.info)
            check_threads(self.name, threads, backend.info)

            def build(variant: Variant) -> Any:
                return self._build(backend, program, variant, specs, threads)

            definition.forget_lost()
            plan: Plan | PartsPlan
            if all(arguments[i].can_be_indexed for i in definition.buffers):
                plan = Plan(self.name, parameters, arguments, types, program, threads, build)
            else:
                plan = PartsPlan(self.name, parameters, arguments, program)
            definition.plans[key] = plan
        return plan

    def _spec_values(self, types: dict[TypeVar, ScalarType]) -> dict[str, Number]:
        values = {}
        for name, spec in self._definition.specs.items():
            value = self._specs.get(name, spec.default)
            if value is None:
                raise LaunchError(
                    f"{self.name}: {name} has no value and no default; .specialize({name}=...) gives it one"
                )
            type = types[spec.type] if isinstance(spec.type, TypeVar) else spec.type
            values[name] = converter(f"{self.name}: {name}", type)(value)
        return values

    def _build(
        self, backend: Backend, program: Program, variant: Variant, specs: dict[str, Number], threads: Triple
    ) -> Any:
        from krnlpy.dsl.passes.array_sizes import check_array_sizes  # as in __init__

        definition = self._definition
        key = (backend, program, variant, self._built, threads, config.debug)
        with definition.lock:
            if key not in definition.executables:
                from krnlpy.log import logger

                check_array_sizes(program, specs)
                begin = perf_counter()
                with compiling(definition.signature.function, f"{backend.info.name}, {backend.info.driver}"):
                    executable = backend.build(program, variant, specs, threads, config.debug)
                executable.name = self._named(program.name)
                definition.executables[key] = executable
                milliseconds = 1e3 * (perf_counter() - begin)
                logger.info("built %s for %s in %.1f ms", executable.name, backend.info.name, milliseconds)
            return definition.executables[key]

    def __repr__(self) -> str:
        parameters = ", ".join(p.name for p in self._definition.signature.declared)
        return f"<kernel {self._named(self.name)}({parameters})>"


def default_threads(program: Program, info: DeviceInfo) -> Triple:
    """The threads of a group where nobody chose: fewer than usual on devices that have no more, unless the kernel
    could have been written for a certain number."""
    if program.group_arrays or program.has_barriers:
        return DEFAULT_THREADS
    return min(DEFAULT_THREADS[0], info.max_threads, info.max_threads_xyz[0]), 1, 1


def check_threads(kernel: str, threads: Triple, info: DeviceInfo) -> None:
    """Raises LimitExceeded unless the device has groups of so many threads."""
    if prod(threads) > info.max_threads or any(n > m for n, m in zip(threads, info.max_threads_xyz, strict=True)):
        raise LimitExceeded(
            f"{kernel}: groups of {threads} are {prod(threads)} threads; {info.name} has at most {info.max_threads} a"
            f" group and {info.max_threads_xyz} along x, y and z; choose by threads= or .with_threads()"
        )
