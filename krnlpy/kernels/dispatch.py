"""Dispatches: all of a launch that does not change while the buffers' layouts stay the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .checks import check_overlap

if TYPE_CHECKING:
    from krnlpy.views.strides import Shape, Strides

    from .configuration import Geometry
    from .plan import Plan


class Dispatch:
    """How a kernel is launched with buffers of certain layouts.

    Args:
        plan: how it is launched with such buffers of any shapes and strides.
        arguments: the first with these layouts.
        shape: the items' after axes that can be merged were merged, if they are strided; else ().
        strides: of each item along these axes, by its place among the arguments.
    """

    def __init__(self, plan: Plan, arguments: Sequence[Any], shape: Shape, strides: Mapping[int, Strides]) -> None:
        self._plan = plan
        self._rank = len(shape)
        self._scalars = [(place, *scalar) for place, scalar in enumerate(plan.scalars)]
        self._pairs = plan.pairs
        # What the parameter block holds, with 0 for what is not known yet: numbers, and each buffer's place.
        self._values: list[int | float] = [0] * len(plan.scalars)
        self._count = -1
        self._groups: Any = None
        if plan.items:
            self._count = arguments[plan.items[0]].layout.size
            # Where there are more items than threads, a thread takes several.
            self._groups = min(-(-self._count // plan.threads[0]), plan.max_groups), 1, 1
            self._values += [self._count, *shape]
        self._buffers = []
        for i, is_strided in zip(plan.buffers, plan.strided, strict=True):
            layout = arguments[i].layout
            self._buffers.append((i, len(self._values)))
            self._values.append(0)
            if i in plan.items:
                self._values += strides.get(i, ())
            else:
                self._values += [*layout.shape, *(layout.strides if is_strided else ())]
        self._empty = [number for number, i in enumerate(plan.buffers) if not arguments[i].layout.size]
        self._backend = plan.backend
        self._compiled: tuple[Any, Callable[..., bytes]] | None = None

    def launch(self, geometry: Geometry, arguments: Sequence[Any]) -> None:
        """Checks what the layouts do not decide, and queues the launch.

        Raises:
            LaunchError: a number that does not fit, items that overlap partly, groups that are missing.
            LimitExceeded: more groups than the device has.
        """
        # The hot path: every line here costs each launch.
        plan = self._plan
        if plan.blocks:
            arguments = plan.bound_together(arguments)
        values = self._values.copy()
        for place, i, convert in self._scalars:
            values[place] = convert(arguments[i])
        for i, j in self._pairs:
            memory, other = arguments[i].memory, arguments[j].memory
            if memory is other or (memory is not None and memory.is_shared and other.is_shared):
                check_overlap(plan.kernel, plan.parameters[i], arguments[i], plan.parameters[j], arguments[j])
        groups, counts = self._groups, geometry.counts
        if counts is not None:
            plan.check_counts(counts, arguments)
        elif groups is None or geometry.groups is not None or geometry.global_threads is not None:
            groups = plan.checked_groups(geometry)
            if 0 in groups:
                return
        if not self._count:
            return
        bindings = []
        for i, place in self._buffers:
            binding, values[place] = arguments[i].operand
            bindings.append(binding)
        for number in self._empty:
            bindings[number] = plan.nothing()
        if self._compiled is None:
            self._compiled = plan.compiled(self._rank)
        executable, pack = self._compiled
        if counts is None:
            self._backend.launch(executable, groups, bindings, pack(*values))
        else:
            self._backend.launch_indirect(executable, counts.operand[0], bindings, pack(*values))
