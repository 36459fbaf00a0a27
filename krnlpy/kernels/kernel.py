"""Kernels: Python functions that devices run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, TypeVar, overload

from krnlpy.backend.recorder import is_taken, recorders
from krnlpy.dsl.builtins.marker import Launched
from krnlpy.errors import DtypeError, InspectionError, KrnlpyError, LaunchError, ShapeError
from krnlpy.scalar import u32
from krnlpy.tracebacks import hide_own_frames, hiding_own_frames
from krnlpy.views.view import View

from .arguments import converter, in_order
from .configuration import DEFAULT_THREADS, Configuration, Geometry, Triple, checked_axes, default_threads
from .defects import compiling
from .definition import Definition, launch_hooks

if TYPE_CHECKING:
    from krnlpy.device import Device
    from krnlpy.dsl.frontend.signature import Signature


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

    Names from outside (numbers and functions of the module or of enclosing functions) are captured by value when the
    kernel is first compiled. What is assigned to them later changes nothing: a number that changes is a parameter.
    The text of the function must be found in a file, a notebook cell, a doctest, or the prompt of Python 3.13.

    Args:
        function: a plain ``def`` whose parameters are annotated by scalar types, ``Item``, ``ItemMut``, ``Global``,
            ``GlobalMut``, ``Out`` and ``Spec``.
        threads: threads of a group along x, y and z. If not given, 256, or as many as the device has where it has
            fewer and the kernel neither shares memory nor has barriers.
        unchecked: the kernel never indexes out of range, and is not checked for it (but in debug mode).
        subgroup_threads: the subgroup size that the kernel needs, a power of two. Devices without it raise
            LimitExceeded. 0: any size; ``krnlpy.dsl.subgroup_threads()`` gives it.

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
    if function is None:
        return hiding_own_frames(lambda function: Kernel(function, threads, unchecked, subgroup_threads))
    try:
        return Kernel(function)
    except KrnlpyError as error:
        hide_own_frames(error)
        raise


class Kernel(Launched):
    """A kernel, with what is fixed of its launches. Made by the decorator :func:`kernel`.

    Calling it queues a launch on the device of its buffers, after compiling it where it is called with these types for
    the first time. The ``with_`` methods and :meth:`specialize` return new kernels that share what is compiled.

    >>> from krnlpy import ItemMut, Kernel, Spec, f32, kernel
    >>> @kernel
    ... def scale(x: ItemMut[f32], factor: Spec[f32] = 2.0):
    ...     x *= factor
    >>> scale.specialize(factor=3.0), isinstance(scale, Kernel)
    (<kernel scale[factor=3.0](x, factor)>, True)
    """

    definition: Definition
    """What they share. For krnlpy's own modules."""
    configuration: Configuration
    """The threads of a group and the values of ``Spec`` parameters that were given."""
    geometry: Geometry
    """How many groups are launched, where that was said."""
    instance: Any = None
    """The object, if it is a method of one. For krnlpy's own modules."""

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
        self.definition = _definition(signature, unchecked, subgroup_threads)
        self.geometry = Geometry()
        self.configuration = Configuration()
        if threads is not None:
            given = threads if isinstance(threads, tuple) else (threads,)
            self.configuration = Configuration(self._checked_threads(given))
        update_wrapper(self, function)

    def _with(self, **changes: Any) -> Kernel:
        result = object.__new__(Kernel)
        result.__dict__.update(self.__dict__)
        result.__dict__.update(changes)
        return result

    def __get__(self, instance: Any, owner: type | None = None) -> Kernel:
        """As a method it is bound to the object that it is looked up in; as anything else it is what it is."""
        return self if instance is None or not self.definition.is_method else self._with(instance=instance)

    @property
    def name(self) -> str:
        """The function's name."""
        return self.definition.signature.name

    @property
    def signature(self) -> Signature:
        """The parameters as declared."""
        return self.definition.signature

    # ---------------------------------------------------------------------------------------------------- launchers

    @hiding_own_frames
    def specialize(self, **values: Any) -> Kernel:
        """The kernel with values for its ``Spec`` parameters.

        Raises:
            LaunchError: no such spec, or a value that does not fit its type.

        >>> from krnlpy import Buffer, ItemMut, Spec, f32, kernel
        >>> @kernel
        ... def scale(x: ItemMut[f32], factor: Spec[f32] = 2.0):
        ...     x *= factor
        >>> x = Buffer.ones(2)
        >>> scale.specialize(factor=3.0)(x)
        >>> x.numpy()
        array([3., 3.], dtype=float32)
        """
        for name, value in values.items():
            spec = self.definition.specs.get(name)
            if spec is None:
                known = ", ".join(self.definition.specs) or "none"
                raise LaunchError(f"{self.name} has no Spec parameter {name}; it has {known}")
            if not isinstance(spec.type, TypeVar):
                values[name] = converter(f"{self.name}: {name}", spec.type)(value)
        specs = {**self.configuration.specs, **values}
        return self._with(configuration=Configuration(self.configuration.threads, specs))

    def with_threads(self, x: int, y: int = 1, z: int = 1) -> Kernel:
        """The kernel with groups of so many threads.

        Raises:
            LaunchError: a number below 1, or more than one axis for a kernel with items.

        >>> from krnlpy import Buffer, GlobalMut, kernel, u32
        >>> from krnlpy.dsl import group_id
        >>> @kernel
        ... def mark(x: GlobalMut[u32]):
        ...     x[group_id(0)] += u32(1)
        >>> x = Buffer.zeros(3, u32)
        >>> mark.with_threads(1).with_groups(3)(x)
        >>> x.numpy()
        array([1, 1, 1], dtype=uint32)
        """
        return self._with(configuration=Configuration(self._checked_threads((x, y, z)), self.configuration.specs))

    def with_groups(self, x: int, y: int = 1, z: int = 1) -> Kernel:
        """The kernel launched with so many groups. Kernels with items need none: it follows from the items.

        Raises:
            LaunchError: a negative number, or more than one axis for a kernel with items.

        >>> from krnlpy import Buffer, GlobalMut, f32, kernel
        >>> from krnlpy.dsl import global_id
        >>> @kernel(threads=(4, 2))
        ... def table(x: GlobalMut[f32, 2]):
        ...     x[global_id(1), global_id(0)] = f32(10 * global_id(1) + global_id(0))
        >>> x = Buffer.zeros((2, 4))
        >>> table.with_groups(1)(x)
        >>> x.numpy()[1]
        array([10., 11., 12., 13.], dtype=float32)
        """
        return self._with(geometry=Geometry(groups=self._axes("groups", (x, y, z), 0)))

    def with_groups_from(self, counts: View) -> Kernel:
        """The kernel launched with as many groups as a buffer says when the launch runs: what kernels before it wrote
        there need not come to the host first. (Vulkan's indirect dispatch.)

        The counts may be 0, and are at most ``Device.info.max_groups_xyz`` (on the host and in the interpreter, what
        ids can count). Only debug mode checks this, since it reads them first; more may do anything from launching no
        groups to losing the device.

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
        if self.definition.has_items:
            raise LaunchError(f"{self.name}: a kernel with items takes no counts of groups: they follow from the items")
        if not isinstance(counts, View):
            raise LaunchError(f"{self.name}: counts of groups: expected a Buffer, got {type(counts).__name__}")
        if counts.dtype is not u32:
            raise DtypeError(f"{self.name}: counts of groups are u32; got a buffer of {counts.dtype}")
        if counts.shape != (3,):
            raise ShapeError(f"{self.name}: counts of groups are 3, along x, y and z; got a buffer of {counts.shape}")
        if not counts.is_contiguous():
            raise LaunchError(f"{self.name}: counts of groups are contiguous; got strides {counts.strides}: .copy()")
        return self._with(geometry=Geometry(counts=counts))

    def with_global_threads(self, x: int, y: int = 1, z: int = 1) -> Kernel:
        """The kernel launched with at least so many threads, in whole groups: more threads than asked for may run.

        Raises:
            LaunchError: a negative number, or more than one axis for a kernel with items.

        >>> from krnlpy import Buffer, GlobalMut, kernel, u32
        >>> from krnlpy.dsl import global_id
        >>> @kernel
        ... def count(x: GlobalMut[u32]):
        ...     if global_id() < len(x):
        ...         x[global_id()] = u32(global_id())
        >>> x = Buffer.zeros(5, u32)
        >>> count.with_global_threads(5)(x)
        >>> x.numpy()
        array([0, 1, 2, 3, 4], dtype=uint32)
        """
        return self._with(geometry=Geometry(global_threads=self._axes("global threads", (x, y, z), 0)))

    def _checked_threads(self, threads: tuple[Any, ...]) -> Triple:
        if not 1 <= len(threads) <= 3:
            raise LaunchError(f"{self.name}: threads {threads}: groups have one to three axes")
        x, y, z = (*threads, 1, 1)[:3]
        return self._axes("threads", (x, y, z), 1)

    def _axes(self, what: str, numbers: tuple[Any, Any, Any], least: int) -> Triple:
        return checked_axes(self.name, what, numbers, least, self.definition.has_items)

    # --------------------------------------------------------------------------------------------------- inspection

    @hiding_own_frames
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
        configuration, definition = self.configuration, self.definition
        if definition.is_method:
            if self.instance is None:
                raise InspectionError(f"{self.name} is a method: look it up in an object, which says what it takes")
            definition = definition.variant(self.instance, chosen)
        program, info = definition.program(chosen, configuration.threads), inspection.info_of(device)
        threads = configuration.threads or (DEFAULT_THREADS if info is None else default_threads(program, info))
        specs = partial(definition.spec_values, configuration, chosen)
        subject = inspection.Subject(program, threads, specs, info, debug, strided)
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
        try:
            definition = self.definition
            if definition.is_method:
                definition, arguments, keywords = self._with_object(arguments, keywords)
            if recorders and is_taken(Kernel.__call__, (self._of(definition), *arguments), keywords):
                return
            if keywords or len(arguments) != definition.arity:
                arguments, specs = in_order(definition.signature, arguments, keywords)
                if specs:
                    self._of(definition).specialize(**specs)(*arguments)
                    return
            if definition.has_composites:
                arguments = definition.taken_apart(arguments)
            definition.launch(self.configuration, self.geometry, arguments)
            if launch_hooks:
                self._tell(arguments[definition.buffers[0]].device)
        except KrnlpyError as error:
            hide_own_frames(error)
            raise

    def _with_object(
        self, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[Definition, tuple[Any, ...], dict[str, Any]]:
        """A call of a method: the definition that takes what is needed of the object as arguments, these, and specs."""
        definition, instance = self.definition, self.instance
        if instance is None:
            if not arguments:
                raise LaunchError(f"{self.name} is a method: call it of an object, or give the object first")
            instance, arguments = arguments[0], arguments[1:]
        specs: dict[str, Any] = {}
        if keywords or len(arguments) != definition.arity:
            arguments, specs = in_order(definition.signature, arguments, keywords)
        bound, values = definition.of(instance, arguments, self.configuration, specs)
        return bound, arguments + values, specs

    def _of(self, definition: Definition) -> Kernel:
        """The launcher with a definition that a method has for its object."""
        return self if definition is self.definition else self._with(definition=definition, instance=None)

    def unbound(self, *arguments: Any, **keywords: Any) -> tuple[Kernel, tuple[Any, ...]]:
        """What a call launches: a kernel, and its arguments in order. Of a method, it takes what it needs of the
        object as arguments, too, after those of the call.

        Raises:
            LaunchError: arguments are missing, given twice, or too many.
            KernelError: the object does not have what the method needs.

        >>> from krnlpy import Buffer, ItemMut, f32, kernel
        >>> class Scale:
        ...     factor = 2.0
        ...     def __init__(self, offset):
        ...         self.offset = offset
        ...     @kernel
        ...     def apply(self, x: ItemMut[f32]):
        ...         x = self.factor * x + self.offset
        >>> x = Buffer.ones(1, f32)
        >>> unbound, arguments = Scale(0.5).apply.unbound(x)
        >>> unbound, arguments == (x, 0.5)
        (<kernel apply(x, self.offset)>, True)
        """
        definition = self.definition
        if definition.is_method:
            definition, arguments, specs = self._with_object(arguments, keywords)
        else:
            arguments, specs = in_order(definition.signature, arguments, keywords)
        kernel = self._of(definition)
        return kernel.specialize(**specs) if specs else kernel, arguments

    def _tell(self, device: Device) -> None:
        from .events import Launch, tell

        tell(launch_hooks, Launch(self.name, device, self.configuration, self.geometry))

    @hiding_own_frames
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
        definition = self.definition
        if definition.is_method:
            definition, arguments, keywords = self._with_object(arguments, keywords)
        arguments, specs = in_order(definition.signature, arguments, keywords)
        if specs:
            self._of(definition).specialize(**specs).prepare(*arguments)
            return
        if definition.has_composites:
            arguments = definition.taken_apart(arguments)
        definition.prepare(self.configuration, arguments)

    def __repr__(self) -> str:
        parameters = ", ".join(p.name for p in self.definition.signature.declared)
        return f"<kernel {self.configuration.named(self.name)}({parameters})>"


def _definition(signature: Signature, unchecked: bool, subgroup_threads: int) -> Definition:
    if not signature.receiver:
        return Definition(signature, unchecked, subgroup_threads)
    from .methods import MethodDefinition  # few programs need it

    return MethodDefinition(signature, unchecked, subgroup_threads)
