"""From checked arguments to a dispatch: a plan is all of a launch that does not change from call to call.

There is one plan for each combination of the buffers' types, dimensions, contiguity and device with what is fixed of
the kernel, and one :class:`Dispatch` of it for each combination of the buffers' layouts. :func:`check_buffers` and the
plan check what these decide, once; :meth:`Dispatch.launch` checks the rest and does as little as it can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from krnlpy.backend.protocol import Backend, check_groups
from krnlpy.device_info import MAX_INDEX
from krnlpy.dsl.types.annotations import MAX_NDIM
from krnlpy.errors import LaunchError
from krnlpy.scalar import ScalarType
from krnlpy.views import strides as views
from krnlpy.views.view import View, bound_together

from .arguments import converter
from .checks import check_items, declared_type, too_far
from .dispatch import Dispatch

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.signature import ParameterSpec
    from krnlpy.dsl.ir import Program
    from krnlpy.dsl.ir.layout import Variant

    from .configuration import Geometry


class AnyDispatch(Protocol):
    """What launches a kernel with buffers of certain layouts."""

    def launch(self, geometry: Geometry, arguments: Sequence[Any]) -> None: ...


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
        self.kernel = kernel
        self.parameters = parameters
        self.threads = threads
        self._program = program
        self._build = build
        self._launch = launch
        self.buffers = [i for i in places if parameters[i].kind in ("item", "global")]
        self.items = [i for i in places if parameters[i].kind == "item"]
        # A mutable item and another one, in any order; of two mutable ones each pair once.
        self.pairs = [
            (i, j)
            for i in self.items
            for j in self.items
            if parameters[i].mutable and i != j and not (parameters[j].mutable and j < i)
        ]
        scalars = [i for i in places if parameters[i].kind == "scalar"]
        kinds = {i: declared_type(parameters[i], types) for i in scalars}
        scalars.sort(key=lambda i: kinds[i].size != 8)  # layout.py: those of 64 bits come first
        self.scalars = [(i, converter(f"{kernel}: {parameters[i].name}", kinds[i])) for i in scalars]
        self.strided = [not arguments[i].is_contiguous() for i in self.buffers]
        self._strided_items = any(not arguments[i].is_contiguous() for i in self.items)
        self.blocks = blocks_of(program, self.buffers)
        self.backend: Backend = arguments[self.buffers[0]].device.backend
        self.max_groups = self.backend.info.max_groups_xyz[0]
        self._compiled: dict[int, tuple[Any, Callable[..., bytes]]] = {}
        self._placeholder: Any = None

    def dispatch(self, arguments: Sequence[Any]) -> AnyDispatch:
        """What launches the kernel with buffers of such layouts.

        Raises:
            ShapeError: items of unequal shapes.
        """
        layouts = [arguments[i].layout for i in self.items]
        if any(layout.shape != layouts[0].shape for layout in layouts):
            check_items(self.kernel, self.parameters, arguments)
        shape: tuple[int, ...] = ()
        strides: tuple[tuple[int, ...], ...] = ()
        if self._strided_items and layouts[0].size:
            shape, strides = views.collapse(layouts[0].shape, tuple([layout.strides for layout in layouts]))
            if len(shape) > MAX_NDIM:
                return _Copying(self, len(shape), self._launch)
        return Dispatch(self, arguments, shape, dict(zip(self.items, strides, strict=False)))

    def prepare(self, arguments: Sequence[Any]) -> None:
        """Compiles what a launch would."""
        rank = 0
        if self._strided_items:
            items = [arguments[i] for i in self.items]
            rank = len(views.collapse(items[0].shape, tuple([item.strides for item in items]))[0])
        self.compiled(min(rank, MAX_NDIM))

    def compiled(self, rank: int) -> tuple[Any, Callable[..., bytes]]:
        """What runs the kernel, and what packs its parameters, for items strided along so many axes; 0: contiguous."""
        if rank not in self._compiled:
            from krnlpy.dsl.ir.layout import Variant, layout_of  # as in kernel.py

            contiguous = [
                not (rank if i in self.items else is_strided)
                for i, is_strided in zip(self.buffers, self.strided, strict=True)
            ]
            variant = Variant(rank, tuple(contiguous))
            pack = layout_of(self._program, variant).format.pack
            self._compiled[rank] = self._build(variant), pack
        return self._compiled[rank]

    def bound_together(self, arguments: Sequence[Any]) -> Sequence[Any]:
        """The arguments, of which those that share a binding lie in one part of a memory that kernels do not reach
        as a whole."""
        moved: list[Any] | None = None
        for places in self.blocks:
            first = arguments[places[0]]
            memory = first.operand[0][0]
            if all(arguments[i].operand[0][0] is memory for i in places):
                continue
            views = bound_together([arguments[i] for i in places])
            if views is None:
                name = self.parameters[places[0]].name
                raise too_far(self.kernel, name, first, "What it is a part of is out of reach")
            moved = moved or list(arguments)
            for i, view in zip(places, views, strict=True):
                moved[i] = view
        return moved or arguments

    def nothing(self) -> tuple[Any, int, int]:
        """What stands for an empty buffer, since a device must bind something; no index reaches it."""
        if self._placeholder is None:
            self._placeholder = self.backend.allocate(16)
        return self._placeholder, 0, 0

    # ----------------------------------------------------------------------------------------------------- geometry

    def checked_groups(self, geometry: Geometry) -> tuple[int, int, int]:
        """The groups that are asked for. Raises LaunchError where none are, LimitExceeded for more than ids count."""
        threads, groups = self.threads, geometry.groups
        if groups is None:
            if geometry.global_threads is None:
                raise LaunchError(
                    f"{self.kernel} has no items to count; .with_groups() or .with_global_threads() says how many"
                    " groups to launch"
                )
            x, y, z = geometry.global_threads
            groups = -(-x // threads[0]), -(-y // threads[1]), -(-z // threads[2])
        most = MAX_INDEX
        if groups[0] * threads[0] > most or groups[1] * threads[1] > most or groups[2] * threads[2] > most:
            check_groups(self.kernel, groups, threads)
        return groups

    def check_counts(self, counts: View, arguments: Sequence[Any]) -> None:
        """Raises LaunchError where the counts of groups can't be read by this launch."""
        first = arguments[self.buffers[0]]
        if counts.device != first.device:
            name = self.parameters[self.buffers[0]].name
            raise LaunchError(
                f"{self.kernel}: the counts of groups are on {counts.device!r}, {name} on {first.device!r}; all"
                " buffers of a launch are on one device: .to_device() moves them"
            )
        for i in self.buffers:
            if self.parameters[i].mutable and arguments[i].shares_memory(counts):
                raise LaunchError(
                    f"{self.kernel}: {self.parameters[i].name} is written to and holds the counts of groups; they"
                    " are read when the launch begins: .copy() them first"
                )


class _Copying:
    """How a kernel is launched with items strided along more axes than kernels have: with copies of those that are
    only read.

    Args:
        plan: for such buffers.
        rank: the axes.
        launch: launches the kernel with other arguments, for which there is another plan.
    """

    def __init__(self, plan: Plan, rank: int, launch: Callable[[Geometry, Sequence[Any]], None]) -> None:
        self._plan, self._rank, self._launch = plan, rank, launch

    def launch(self, geometry: Geometry, arguments: Sequence[Any]) -> None:
        """Copies, and launches. Raises LaunchError where an item that is written to has too many axes."""
        plan, result = self._plan, list(arguments)
        for i in plan.items:
            if not plan.parameters[i].mutable:
                result[i] = result[i].contiguous()
        if all(a is b for a, b in zip(result, arguments, strict=True)):
            names = ", ".join(plan.parameters[i].name for i in plan.items if not result[i].is_contiguous())
            raise LaunchError(
                f"{plan.kernel}: {names} is written to and is strided along {self._rank} axes that can't be merged; at"
                f" most {MAX_NDIM} can be: write to a contiguous buffer, then copy_from"
            )
        self._launch(geometry, result)
