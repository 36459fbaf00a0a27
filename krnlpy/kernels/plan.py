"""From checked arguments to a dispatch: a plan is all of a launch that does not change from call to call.

There is one plan for each combination of the buffers' types, dimensions, contiguity and device with what is fixed of
the kernel. :func:`check_buffers` checks what these decide, once; :meth:`Plan.launch` checks the rest and does as little
as it can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from krnlpy.backend.protocol import Backend, check_groups
from krnlpy.device_info import MAX_INDEX
from krnlpy.dsl.types.annotations import MAX_NDIM
from krnlpy.errors import DtypeError, LaunchError, LimitExceeded, ShapeError
from krnlpy.scalar import ScalarType
from krnlpy.views import strides as views
from krnlpy.views.view import View, bound_together

from .arguments import converter

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.signature import ParameterSpec
    from krnlpy.dsl.ir import Program
    from krnlpy.dsl.ir.layout import Variant

    from .configuration import Geometry


def check_buffers(kernel: str, parameters: Sequence[ParameterSpec], arguments: Sequence[Any]) -> None:
    """Checks device, dimensions and writability of the buffers of a call.

    Raises:
        LaunchError: buffers on several devices, or a broadcast one that is written to.
        ShapeError: a buffer of other dimensions than declared.
    """
    first = None
    for parameter, buffer in zip(parameters, arguments, strict=True):
        if not isinstance(buffer, View):
            continue
        what = f"{kernel}: {parameter.name}"
        first = first or (parameter.name, buffer.device)
        if buffer.device != first[1]:
            raise LaunchError(
                f"{what} is on {buffer.device!r}, {first[0]} on {first[1]!r}; all buffers of a launch are on one"
                " device: .to_device() moves them"
            )
        if parameter.kind == "global" and buffer.ndim != parameter.ndim:
            raise ShapeError(
                f"{what} has {parameter.ndim} dimensions; got a buffer of {buffer.ndim}, of shape {buffer.shape}"
            )
        if parameter.mutable and buffer.is_broadcast():
            raise LaunchError(
                f"{what} is written to; got a broadcast buffer (shape {buffer.shape}, strides {buffer.strides}), of"
                " which an element stands for several: .copy() first"
            )


def too_far(kernel: str, parameter: str, buffer: View, why: str) -> LimitExceeded:
    """What is raised for a buffer that kernels can't index, and that can't be taken in parts."""
    facts = views.facts(buffer.shape, buffer.strides)
    extent = (facts.high - facts.low) * buffer.dtype.size
    return LimitExceeded(
        f"{kernel}: {parameter} has {buffer.size} elements in {extent} bytes of memory; kernels count to {MAX_INDEX}"
        f" elements, and reach {buffer.device.info.max_binding_bytes} bytes of a buffer on {buffer.device!r}. {why}:"
        " launch on slices"
    )


def check_items(kernel: str, parameters: Sequence[ParameterSpec], arguments: Sequence[Any]) -> None:
    """Checks the items of a launch against each other.

    Raises:
        ShapeError: they have unequal shapes.
        LaunchError: one that is written to shares elements with another at other indices.
    """
    items = [(p, a) for p, a in zip(parameters, arguments, strict=True) if p.kind == "item"]
    if any(item.shape != items[0][1].shape for _, item in items):
        shapes = ", ".join(f"{parameter.name} {item.shape}" for parameter, item in items)
        raise ShapeError(f"{kernel}: items have unequal shapes: {shapes}; .broadcast_to() repeats one along an axis")
    for i, (first, a) in enumerate(items):
        for second, b in items[i + 1 :]:
            if first.mutable or second.mutable:
                written = first.mutable
                check_overlap(kernel, *((first, a, second, b) if written else (second, b, first, a)))


def check_overlap(kernel: str, written: ParameterSpec, a: View, other: ParameterSpec, b: View) -> None:
    """Raises LaunchError where an item that is written to shares elements with another at other indices."""
    if a.memory is None:
        return
    starts = [buffer.memory.address + buffer.offset * buffer.dtype.size for buffer in (a, b)]
    if starts[0] == starts[1] and a.strides == b.strides and a.dtype.size == b.dtype.size:
        return
    if a.shares_memory(b):
        raise LaunchError(
            f"{kernel}: {written.name} is written to and shares elements with {other.name} at other indices (offsets"
            f" {a.offset} and {b.offset}, strides {a.strides} and {b.strides}); threads run in no order: .copy() one"
            " of them"
        )


def check_types(
    kernel: str,
    parameters: Sequence[ParameterSpec],
    arguments: Sequence[Any],
    types: Mapping[TypeVar, ScalarType],
) -> None:
    """Raises DtypeError if a buffer is not of the type declared."""
    for parameter, buffer in zip(parameters, arguments, strict=True):
        declared = _declared(parameter, types)
        if isinstance(buffer, View) and buffer.dtype is not declared:
            raise DtypeError(
                f"{kernel}: {parameter.name} is a buffer of {declared}; got one of {buffer.dtype}: .cast({declared})"
                " converts"
            )


def _declared(parameter: ParameterSpec, types: Mapping[TypeVar, ScalarType]) -> ScalarType:
    return types[parameter.type] if isinstance(parameter.type, TypeVar) else parameter.type


def blocks_of(program: Program, places: Sequence[int]) -> list[list[int]]:
    """The places of buffers that are parts of one argument, of one type: devices may bind them once.

    Args:
        program: the kernel.
        places: of its buffers among the parameters, in order.
    """
    blocks: dict[Any, list[int]] = {}
    for place, buffer in zip(places, program.buffers, strict=True):
        if buffer.part_of:
            blocks.setdefault((buffer.part_of, buffer.type), []).append(place)
    return [block for block in blocks.values() if len(block) > 1]


class Plan:
    """How a kernel is launched with buffers of certain properties.

    Args:
        kernel: the kernel's name, for messages.
        parameters: those that are no specs, in order.
        arguments: the first arguments with these properties; they were checked.
        types: what the type variables stand for.
        program: the kernel for these types.
        threads: of a group.
        build: makes an executable of a variant.
        launch: launches the kernel with other arguments, for which there is another plan.
    """

    def __init__(
        self,
        kernel: str,
        parameters: Sequence[ParameterSpec],
        arguments: Sequence[Any],
        types: Mapping[TypeVar, ScalarType],
        program: Program,
        threads: tuple[int, int, int],
        build: Callable[[Variant], Any],
        launch: Callable[[Geometry, Sequence[Any]], None],
    ) -> None:
        places = range(len(parameters))
        self._kernel = kernel
        self._parameters = parameters
        self._program = program
        self._threads = threads
        self._build = build
        self._launch = launch
        self._buffers = [i for i in places if parameters[i].kind in ("item", "global")]
        self._items = [i for i in places if parameters[i].kind == "item"]
        self._others = self._items[1:]
        # A mutable item and another one, in any order; of two mutable ones each pair once.
        self._pairs = [
            (i, j)
            for i in self._items
            for j in self._items
            if parameters[i].mutable and i != j and not (parameters[j].mutable and j < i)
        ]
        scalars = [i for i in places if parameters[i].kind == "scalar"]
        kinds = {i: _declared(parameters[i], types) for i in scalars}
        scalars.sort(key=lambda i: kinds[i].size != 8)  # layout.py: those of 64 bits come first
        self._scalars = [(i, converter(f"{kernel}: {parameters[i].name}", kinds[i])) for i in scalars]
        self._contiguous = [arguments[i].is_contiguous() for i in self._buffers]
        self._strided_items = any(not arguments[i].is_contiguous() for i in self._items)
        # For each buffer: its place, its place among the items or -1, whether the block has its strides.
        self._fields = [
            (i, self._items.index(i) if i in self._items else -1, not contiguous)
            for i, contiguous in zip(self._buffers, self._contiguous, strict=True)
        ]
        self._blocks = blocks_of(program, self._buffers)
        self.backend: Backend = arguments[self._buffers[0]].device.backend
        self._max_groups = self.backend.info.max_groups_xyz
        self._compiled: dict[int, tuple[Any, Callable[..., bytes]]] = {}
        self._placeholder: Any = None

    def launch(self, geometry: Geometry, arguments: Sequence[Any]) -> None:
        """Checks what the plan does not know, and queues the launch.

        Raises:
            LaunchError: a number that does not fit, items that overlap partly, groups that are missing.
            ShapeError: items of unequal shapes. LimitExceeded: more groups than the device has.
        """
        # The hot path: every line here costs each launch.
        if self._blocks:
            arguments = self._bound_together(arguments)
        values: list[int | float] = []
        for i, convert in self._scalars:
            values.append(convert(arguments[i]))
        rank = 0
        counts = None
        item_strides: tuple[tuple[int, ...], ...] = ()
        if self._items:
            _, shape, _, count, _, _ = arguments[self._items[0]].operand
            for i in self._others:
                if arguments[i].operand[1] != shape:
                    check_items(self._kernel, self._parameters, arguments)
            for i, j in self._pairs:
                memory, other = arguments[i].operand[0], arguments[j].operand[0]
                if memory is other or (memory is not None and memory.is_shared and other.is_shared):
                    check_overlap(self._kernel, self._parameters[i], arguments[i], self._parameters[j], arguments[j])
            if geometry.groups is None and geometry.global_threads is None:
                # Where there are more items than threads, a thread takes several.
                groups = min(-(-count // self._threads[0]), self._max_groups[0]), 1, 1
            else:
                groups = self._checked_groups(geometry)
            if not count or not groups[0]:
                return
            values.append(count)
            if self._strided_items:
                shape, item_strides = views.collapse(shape, tuple([arguments[i].strides for i in self._items]))
                rank = len(shape)
                if rank > MAX_NDIM:
                    self._launch(geometry, self._with_contiguous_items(arguments, rank))
                    return
                values += shape
        elif geometry.counts is not None:
            self._check_counts(geometry.counts, arguments)
            counts = geometry.counts.operand[4]
        else:
            groups = self._checked_groups(geometry)
            if 0 in groups:
                return
        bindings = []
        for i, item, is_strided in self._fields:
            memory, shape, strides, _, binding, place = arguments[i].operand
            bindings.append(binding if memory is not None else self._nothing())
            values.append(place)
            if item >= 0:
                if rank:
                    values += item_strides[item]
            else:
                values += shape
                if is_strided:
                    values += strides
        compiled = self._compiled.get(rank)
        executable, pack = compiled or self._compile(rank)
        if counts is None:
            self.backend.launch(executable, groups, bindings, pack(*values))
        else:
            self.backend.launch_indirect(executable, counts, bindings, pack(*values))

    def prepare(self, arguments: Sequence[Any]) -> None:
        """Compiles what a launch would."""
        rank = 0
        if self._strided_items:
            items = [arguments[i] for i in self._items]
            rank = len(views.collapse(items[0].shape, tuple([item.strides for item in items]))[0])
        self._compile(min(rank, MAX_NDIM))

    def _compile(self, rank: int) -> tuple[Any, Callable[..., bytes]]:
        from krnlpy.dsl.ir.layout import Variant, layout_of  # as in kernel.py

        contiguous = [
            contiguous if item < 0 else not rank
            for (_, item, _), contiguous in zip(self._fields, self._contiguous, strict=True)
        ]
        variant = Variant(rank, tuple(contiguous))
        pack = layout_of(self._program, variant).format.pack
        self._compiled[rank] = self._build(variant), pack
        return self._compiled[rank]

    def _bound_together(self, arguments: Sequence[Any]) -> Sequence[Any]:
        """The arguments, of which those that share a binding lie in one part of a memory that kernels do not reach
        as a whole."""
        moved: list[Any] | None = None
        for places in self._blocks:
            first = arguments[places[0]]
            memory = first.operand[4][0]
            if all(arguments[i].operand[4][0] is memory for i in places):
                continue
            views = bound_together([arguments[i] for i in places])
            if views is None:
                name = self._parameters[places[0]].name
                raise too_far(self._kernel, name, first, "What it is a part of is out of reach")
            moved = moved or list(arguments)
            for i, view in zip(places, views, strict=True):
                moved[i] = view
        return moved or arguments

    def _nothing(self) -> tuple[Any, int, int]:
        """What stands for an empty buffer, since a device must bind something; no index reaches it."""
        if self._placeholder is None:
            self._placeholder = self.backend.allocate(16)
        return self._placeholder, 0, 0

    # -------------------------------------------------------------------------------------------------------- items

    def _with_contiguous_items(self, arguments: Sequence[Any], rank: int) -> tuple[Any, ...]:
        """The arguments with copies of the strided items that are only read."""
        result = list(arguments)
        for i in self._items:
            if not self._parameters[i].mutable:
                result[i] = result[i].contiguous()
        if all(a is b for a, b in zip(result, arguments, strict=True)):
            names = ", ".join(self._parameters[i].name for i in self._items if not result[i].is_contiguous())
            raise LaunchError(
                f"{self._kernel}: {names} is written to and is strided along {rank} axes that can't be merged; at most"
                f" {MAX_NDIM} can be: write to a contiguous buffer, then copy_from"
            )
        return tuple(result)

    # ----------------------------------------------------------------------------------------------------- geometry

    def _checked_groups(self, geometry: Geometry) -> tuple[int, int, int]:
        threads, groups = self._threads, geometry.groups
        if groups is None:
            if geometry.global_threads is None:
                raise LaunchError(
                    f"{self._kernel} has no items to count; .with_groups() or .with_global_threads() says how many"
                    " groups to launch"
                )
            x, y, z = geometry.global_threads
            groups = -(-x // threads[0]), -(-y // threads[1]), -(-z // threads[2])
        most = MAX_INDEX
        if groups[0] * threads[0] > most or groups[1] * threads[1] > most or groups[2] * threads[2] > most:
            check_groups(self._kernel, groups, threads)
        return groups

    def _check_counts(self, counts: View, arguments: Sequence[Any]) -> None:
        """Raises LaunchError where the counts of groups can't be read by this launch."""
        first = arguments[self._buffers[0]]
        if counts.device != first.device:
            name = self._parameters[self._buffers[0]].name
            raise LaunchError(
                f"{self._kernel}: the counts of groups are on {counts.device!r}, {name} on {first.device!r}; all"
                " buffers of a launch are on one device: .to_device() moves them"
            )
        for i in self._buffers:
            if self._parameters[i].mutable and arguments[i].shares_memory(counts):
                raise LaunchError(
                    f"{self._kernel}: {self._parameters[i].name} is written to and holds the counts of groups; they"
                    " are read when the launch begins: .copy() them first"
                )
