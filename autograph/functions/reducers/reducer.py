"""Operations made of functions that map elements, combine what they give, and finish the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

from autograph.errors import AxisError, DtypeError
from autograph.functions.checks import integers
from autograph.functions.launch import MAX_PASSES, grid_stride, reshape_or_copy
from autograph.functions.sources import function_of
from autograph.functions.type_variables import accumulator
from autograph.tensor.base import Shape
from krnlpy import Buffer, Func, KernelError, ScalarType, f32, function_info, i32, scalar_type

from .kernels import COLUMN_LANES, LANES, ROW_LANES, Form, Step, written

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

_THREADS = 1 << 14  # of a pass on a device: enough to fill a large GPU
_MIN_SPLIT = 256  # elements of an axis that are worth a second pass on a device
_MIN_CHUNK = 32  # elements that a thread of a device combines in a pass: fewer do not pay for the next pass
_HOST_CHUNK = 1 << 15  # elements of a row, or rows, that a thread of the host combines
_HOST_ITEMS = 1 << 8  # chunks, and so the most threads of the host that take part
_MOST_SINGLES = 1 << 10  # that are known by heart: on ever new shapes, they would pile up

Identity = tuple[float, ...]


def _itself(x: Any) -> Any:
    return x


itself = Func(_itself)
"""Maps elements to themselves."""


@lru_cache
def _sum_of(count: int) -> Func:
    """The sum of two states of so many numbers."""
    x, y = ([f"{name}{i}" for i in range(count)] for name in "xy")
    sums = ", ".join(f"{a} + {b}" for a, b in zip(x, y, strict=True))
    text = f"def add({', '.join([*x, *y])}):\n    return {sums}\n"
    return Func(function_of(text, "add", {}, itself.function))


class Reducer:
    """What a reduction computes: for buffers, without gradients.

    Args:
        name: of the operation, for messages.
        map: from an element of each operand to a number or several, the state; and from its place on the axis, if it
            has one parameter more. None: the element itself.
        combine: from two states to one; None: the sum.
        finish: from the state to the result or several; and from the number of elements, if it has one parameter more.
        identity: the state that changes nothing, or a function that gives it for a dtype.
        operands: their number.
        widens: integers give at least 32 bits, as sums do.
    """

    def __init__(
        self,
        name: str,
        map: Func | None = None,
        combine: Func | None = None,
        finish: Func | None = None,
        identity: Identity | Callable[[ScalarType], Identity] = (0,),
        operands: int = 1,
        widens: bool = False,
    ) -> None:
        self.name = name
        self.map = map or itself
        self.combine = combine
        self.finish = finish
        self.identity = identity
        self.operands = operands
        self.widens = widens
        self._steps: dict[tuple[ScalarType, ...], Steps] = {}
        self._singles: dict[tuple[Any, ...], _Single] = {}

    def steps(self, dtypes: tuple[ScalarType, ...], dtype: ScalarType) -> Steps:
        """What to do for operands of some dtypes, which are promoted to one.

        Raises:
            DtypeError: the functions do not compile for it.
        """
        key = (*dtypes, dtype)
        steps = self._steps.get(key)
        if steps is None:
            try:
                steps = self._steps[key] = self._made(dtypes, dtype)
            except KernelError as error:
                raise DtypeError(f"{self.name} of {dtype}: {error}") from error
        return steps

    def _made(self, dtypes: tuple[ScalarType, ...], dtype: ScalarType) -> Steps:
        wide = accumulator(dtype)
        compute = wide.compute
        converted = (compute,) * self.operands
        takes_index = len(_parameters(self.map)) > self.operands
        states = function_info(self.map, *converted, *([scalar_type(i32)] if takes_index else [])).results
        combine = self.combine or _sum_of(len(states))
        combined = function_info(combine, *states, *states).results
        if combined != states:
            raise DtypeError(f"{self.name} of {dtype}: {combine.__name__} gives {combined} of states {states}")
        count, given = None, states
        if self.finish is not None:
            takes_count = len(_parameters(self.finish)) > len(states)
            count = (compute if compute.is_float else scalar_type(f32)) if takes_count else None
            given = function_info(self.finish, *states, *([count] if count else [])).results
        own = dtype if dtype.is_float or not self.widens else wide
        # A place is no element, also where both are computed as i32.
        results = given if takes_index else tuple(own if type is compute else type for type in given)
        identity = self.identity if isinstance(self.identity, tuple) else self.identity(wide)
        if self.combine is None:
            identity = (0,) * len(states)
        whole = Step(
            self.name, self.map, combine, self.finish, states, identity, dtypes, converted, results, given,
            self.map.function is itself.function, takes_index, count,
        )  # fmt: skip
        first = replace(whole, finish=None, results=states, given=states, count=None)
        last = replace(whole, map=None, inputs=states, converted=(), is_of_elements=False, takes_index=False)
        between = replace(last, finish=None, results=states, given=states, count=None)
        return Steps({(True, True): whole, (True, False): first, (False, True): last, (False, False): between})

    def reduced(
        self, buffers: Sequence[Buffer], axes: tuple[int, ...], dtype: ScalarType, results: tuple[ScalarType, ...] = ()
    ) -> list[Buffer]:
        """The results for buffers of one shape over axes in ascending order, without these axes.

        Neighbouring axes are reduced together, the last ones first.
        """
        key = (*[buffer.layout for buffer in buffers], axes, dtype, results)
        single = self._singles.get(key)
        if single is not None:
            return single(buffers)
        steps = self.steps(tuple([buffer.dtype for buffer in buffers]), dtype)
        if results:
            steps = steps.giving(results)
        now, (count, passes) = list(buffers), _passes(buffers[0].shape, axes)
        if len(passes) == 1 and all(buffer.can_be_indexed for buffer in buffers):
            single = _Single(steps, buffers, *passes[0][:2], count)
            if single.is_whole:
                if len(self._singles) >= _MOST_SINGLES:
                    self._singles.clear()
                self._singles[key] = single
                return single(buffers)
        for form, shape, is_first, is_last in passes:
            now = [out.reshape(shape) for out in _reduce_middle(steps, is_first, is_last, now, form, count)]
        return now


class _Single:
    """A reduction of buffers of certain layouts that one launch does.

    Args:
        form: ``[outer, n, inner]`` as which the buffers are seen.
        shape: of the results.
        count: of the elements that make a result.

    Attributes:
        is_whole: one launch does it.
    """

    def __init__(self, steps: Steps, buffers: Sequence[Buffer], form: Shape, shape: Shape, count: int) -> None:
        self._device = buffers[0].device
        name, chunks, items, passes = _work(self._device.is_host, *form)
        self.is_whole = chunks == 1 and items > 0
        step = steps[True, True]
        self._dtypes, self._shape = step.results, shape
        self._numbers = [] if step.count is None else [float(count)]
        self._taken = form[:2] if name == "rows" else form
        self._given = (form[0], 1) if name == "rows" else (form[0], 1, form[2])
        if self.is_whole:
            self._kernel = grid_stride(steps.kernel((True, True), name), items, passes)

    def __call__(self, buffers: Sequence[Buffer]) -> list[Buffer]:
        arguments: list[Any] = [reshape_or_copy(buffer, self._taken) for buffer in buffers]
        results = []
        for dtype in self._dtypes:
            out = Buffer.empty(self._shape, dtype, self._device)
            results.append(out)
            arguments.append(out.reshape(self._given))
        self._kernel(*arguments, *self._numbers)
        return results


@lru_cache(maxsize=1024)  # a step reduces the same again
def _passes(shape: Shape, axes: tuple[int, ...]) -> tuple[int, tuple[tuple[Shape, Shape, bool, bool], ...]]:
    """How many elements make a result; and for each run of neighbouring axes, the last ones first: the shape in which
    it is the middle axis, the shape without it, whether it is the first and whether it is the last."""
    count = prod(shape[axis] for axis in axes)
    runs: list[list[int]] = []
    for axis in axes:
        if runs and runs[-1][-1] == axis - 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    passes = []
    for place, run in enumerate(reversed(runs or [[len(shape)]])):
        before, after = shape[: run[0]], shape[run[-1] + 1 :]
        form = (prod(before), prod(shape[run[0] : run[-1] + 1]), prod(after))
        shape = before + after
        passes.append((form, shape, place == 0, place == max(0, len(runs) - 1)))
    return count, tuple(passes)


class Steps:
    """The passes of a reduction for certain dtypes: each by whether it is the first, and whether the last."""

    def __init__(self, steps: dict[tuple[bool, bool], Step]) -> None:
        self._steps = steps
        self._kernels: dict[Any, Any] = {}
        self._giving: dict[tuple[ScalarType, ...], Steps] = {}

    def __getitem__(self, key: tuple[bool, bool]) -> Step:
        return self._steps[key]

    def giving(self, results: tuple[ScalarType, ...]) -> Steps:
        """The same with results of other dtypes."""
        if results == self._steps[True, True].results:
            return self
        if results not in self._giving:
            self._giving[results] = Steps(
                {key: replace(step, results=results) if key[1] else step for key, step in self._steps.items()}
            )
        return self._giving[results]

    def kernel(self, key: tuple[bool, bool], form: Form) -> Any:
        """The kernel of a pass."""
        kernel = self._kernels.get((key, form))
        if kernel is None:
            kernel = self._kernels[key, form] = written(self._steps[key], form)
        return kernel


def _parameters(function: Func) -> tuple[str, ...]:
    code = function.function.__code__
    return code.co_varnames[: code.co_argcount]


def _reduce_middle(
    steps: Steps, is_first: bool, is_last: bool, buffers: list[Buffer], shape: Shape, count: int
) -> list[Buffer]:
    """Buffers of as many elements as ``[outer, n, inner]`` to ``[outer, 1, inner]``, or ``[outer, 1]`` where an element
    stands for ``inner``."""
    for buffer in buffers:
        if not buffer.can_be_indexed and buffer.size > 1:
            return _in_halves(steps, is_first, is_last, [reshape_or_copy(b, shape) for b in buffers], count)
    device = buffers[0].device
    while True:
        outer, n, inner = shape
        form, chunks, items, passes = _work(device.is_host, outer, n, inner)
        taken, given = (shape[:2], (outer, chunks)) if form == "rows" else (shape, (outer, chunks, inner))
        key = (is_first, is_last and chunks == 1)
        step = steps[key]
        outs = [Buffer.empty(given, dtype, device) for dtype in step.results]
        if items:
            numbers = [] if step.count is None else [float(count)]
            operands = [buffer if buffer.shape == taken else reshape_or_copy(buffer, taken) for buffer in buffers]
            grid_stride(steps.kernel(key, form), items, passes)(*operands, *outs, *numbers)
        if chunks == 1:
            return outs
        buffers, is_first, shape = outs, False, (outer, chunks, inner)


@lru_cache(maxsize=1024)
def _work(is_host: bool, outer: int, n: int, inner: int) -> tuple[Form, int, int, int]:
    """How a pass is done: the form of its kernel, into how many chunks the axis is split, the number of work items, and
    of the passes of a thread's loops for one.

    The shape alone decides, so that the order in which elements are combined never changes.
    """
    if is_host and inner > 1:
        strips = -(-inner // COLUMN_LANES)
        chunks = max(1, min(n // (_HOST_CHUNK // COLUMN_LANES), _HOST_ITEMS // 16 // max(1, outer * strips)))
        return "columns", chunks, outer * chunks * strips, 0
    if is_host and inner == 1 and n >= ROW_LANES:
        chunks = max(1, min(n // _HOST_CHUNK, _HOST_ITEMS // max(1, outer)))
        return "rows", chunks, outer * chunks * inner, 0
    if is_host:  # a row that is too short for its vectors
        return "device", 1, outer * inner, n + 1
    chunks = 1
    if n > _MIN_SPLIT:
        chunks = max(-(-n // (MAX_PASSES // 2)), min(n // _MIN_CHUNK, _THREADS // max(1, outer * inner)), 1)
    if inner < LANES < chunks:
        chunks = -(-chunks // LANES) * LANES
    return "device", chunks, outer * chunks * inner, -(-n // chunks) * 17 // 16 + 1


def _in_halves(steps: Steps, is_first: bool, is_last: bool, buffers: list[Buffer], count: int) -> list[Buffer]:
    """As :func:`_reduce_middle`, for buffers that kernels do not reach at once."""

    def reach(axis: int) -> tuple[int, int]:
        widest = max((b.shape[axis] - 1) * abs(b.strides[axis]) for b in buffers)
        return widest, buffers[0].shape[axis]

    outer, _, inner = buffers[0].shape
    device = buffers[0].device
    states = steps[is_first, False].results
    halves = [Buffer.empty((outer, 2, inner), dtype, device) for dtype in states]
    # Splitting the reduced axis does not help where the states themselves are out of reach.
    axis = max(range(3) if all(half.can_be_indexed for half in halves) else (0, 2), key=reach)
    middle = buffers[0].shape[axis] // 2
    keys = [(*(slice(None),) * axis, half) for half in (slice(middle), slice(middle, None))]
    if axis == 1:
        for i, key in enumerate(keys):
            for half, part in zip(halves, _reduced_part(steps, is_first, False, buffers, key, count), strict=True):
                half[:, i : i + 1].copy_from(part)
        return _reduce_middle(steps, False, is_last, halves, halves[0].shape, count)
    outs = [Buffer.empty((outer, 1, inner), dtype, device) for dtype in steps[is_first, is_last].results]
    for key in keys:
        for out, part in zip(outs, _reduced_part(steps, is_first, is_last, buffers, key, count), strict=True):
            out[key].copy_from(part)
    return outs


def _reduced_part(
    steps: Steps, is_first: bool, is_last: bool, buffers: list[Buffer], key: tuple[slice, ...], count: int
) -> list[Buffer]:
    """A part of ``[outer, n, inner]`` to ``[outer, 1, inner]``."""
    parts = [buffer[key] for buffer in buffers]
    outer, _, inner = shape = parts[0].shape
    return [out.reshape((outer, 1, inner)) for out in _reduce_middle(steps, is_first, is_last, parts, shape, count)]


def axes_of(name: str, x: Tensor, axis: int | Sequence[int] | None) -> tuple[int, ...]:
    """The axes that are named, in ascending order; all for None.

    Raises:
        AxisError: there is no such axis, or one is named twice.
    """
    if axis is None:
        return tuple(range(x.ndim))
    if axis.__class__ is int and 0 <= axis < x.ndim:  # what most are
        return (axis,)
    axes = sorted(a + x.ndim if a < 0 else a for a in integers((axis,)))
    if len(set(axes)) != len(axes) or not all(0 <= a < x.ndim for a in axes):
        raise AxisError(
            f"{name} over axis={axis!r}: a tensor of shape {x.shape} has the axes 0 to {x.ndim - 1}, each once"
        )
    return tuple(axes)


def keepdims_shape(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """The shape with axes of length 1 in the place of those that are reduced."""
    return tuple(1 if a in axes else n for a, n in enumerate(shape))
