"""Launches over items that are too many to count, or take more memory than the device binds. They run in parts, one
after the other. No part is launched unless all can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from krnlpy.backend.protocol import Backend
from krnlpy.views.view import bound_together

from .checks import check_items, too_far
from .plan import blocks_of

if TYPE_CHECKING:
    from krnlpy.dsl.frontend.signature import ParameterSpec
    from krnlpy.dsl.ir import Program
    from krnlpy.views.view import View

    from .configuration import Geometry


class SplitPlan:
    """How a kernel is launched over items that it can't reach at once; used like a ``Plan``.

    Args:
        kernel: the kernel's name, for messages.
        parameters: those that are no specs, in order.
        arguments: the first arguments; their devices, types and dimensions were checked.
        program: the kernel for these types.
        launch, prepare: do so with a part.

    Raises:
        LimitExceeded: a buffer out of reach is not an item, or the kernel asks for ids, which would start again in each
            part.
    """

    def __init__(
        self,
        kernel: str,
        parameters: Sequence[ParameterSpec],
        arguments: Sequence[Any],
        program: Program,
        launch: Callable[[Geometry, Sequence[Any]], None],
        prepare: Callable[[Sequence[Any]], None],
    ) -> None:
        self._launch, self._prepare = launch, prepare
        self._kernel = kernel
        self._parameters = parameters
        self._items = [i for i, p in enumerate(parameters) if p.kind == "item"]
        buffers = [i for i, p in enumerate(parameters) if p.kind in ("item", "global")]
        self._blocks = [block for block in blocks_of(program, buffers) if block[0] in self._items]
        for parameter, argument in zip(parameters, arguments, strict=True):
            if parameter.kind == "scalar":
                continue
            self.backend: Backend = argument.device.backend
            if not argument.can_be_indexed:
                if parameter.kind == "global":
                    raise too_far(kernel, parameter.name, argument, "It is no Item")
                if program.has_ids:
                    raise too_far(kernel, parameter.name, argument, "The kernel asks for ids, which parts would change")

    def dispatch(self, arguments: Sequence[Any]) -> SplitPlan:
        """What launches the kernel with buffers of such layouts: the plan."""
        return self

    def launch(self, geometry: Geometry, arguments: Sequence[Any]) -> None:
        """Launches the kernel over parts of the items.

        Raises:
            ShapeError, LaunchError: the items do not fit together. LimitExceeded: there are no parts in reach.
        """
        check_items(self._kernel, self._parameters, arguments)
        for part in list(self._parts(arguments)):
            self._launch(geometry, part)

    def prepare(self, arguments: Sequence[Any]) -> None:
        """Compiles what a launch would."""
        check_items(self._kernel, self._parameters, arguments)
        for part in self._parts(arguments):
            self._prepare(part)

    def _parts(self, arguments: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        items: list[View] = [arguments[i] for i in self._items]
        far = [item for item in items if not item.can_be_indexed]
        if not far:  # what is bound together may still be
            for block in self._blocks:
                parts = [arguments[i] for i in block]
                far += parts if bound_together(parts) is None else []
        if not far:
            yield tuple(arguments)
            return
        shape = items[0].shape
        if items[0].size == 1:
            place = next((i for i in self._items if not arguments[i].can_be_indexed), self._items[0])
            raise too_far(self._kernel, self._parameters[place].name, arguments[place], "Not even one is in reach")

        def reach(axis: int) -> tuple[int, int]:
            return (shape[axis] - 1) * max(abs(item.strides[axis]) for item in far), shape[axis]

        axis = max(range(len(shape)), key=reach)  # whose halves reach least far
        for half in (slice(None, shape[axis] // 2), slice(shape[axis] // 2, None)):
            key = (*(slice(None),) * axis, half)
            yield from self._parts([a[key] if i in self._items else a for i, a in enumerate(arguments)])
