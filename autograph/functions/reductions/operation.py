"""Reductions with gradients: made of functions of numbers, as elementwise operations are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable, saved
from autograph.errors import AutographError, DeviceError, ShapeError
from autograph.functions.checks import broadcast_shape
from autograph.functions.elementwise.operation import Elementwise, pulled_back
from autograph.functions.elementwise.promotion import promoted
from autograph.functions.reducers.reducer import Identity, Reducer, axes_of, keepdims_shape
from autograph.tensor.base import Shape, recording, require_tensor
from krnlpy import Func, ScalarType

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def reduction(
    map: Callable[..., Any],
    combine: Callable[..., Any] | None = None,
    finish: Callable[..., Any] | None = None,
    *,
    identity: Identity | Callable[[ScalarType], Identity] = (0,),
    gradient: Callable[..., Any] | None = None,
    name: str | None = None,
) -> Reduction:
    """Makes an operation that combines all elements along axes.

    The whole device takes part, in several passes; the order in which elements are combined depends on the shape alone,
    so that the same elements always give the same bits. Operands broadcast; f16 and bf16 are computed in f32 and
    rounded once, narrow integers in 32 bits.

    Args:
        map: from an element of each operand to a number or several: the state. In the language of kernels.
        combine: from two states (the numbers of one, then those of the other) to one; associative. None: the sum.
        finish: from the state to the result, or to a tuple of results; and from the number of elements, where it has
            one parameter more. None: the state is the result.
        identity: the state that changes nothing, which is also that of no elements; or a function that gives it for a
            dtype.
        gradient: from the operands, the result and the gradient of the result, the latter two with axes of length 1, to
            the gradient of the operand, or a tuple of those of all operands; a function of tensors. None: it is derived
            where ``combine`` is the sum; other reductions are not recorded.
        name: for messages; that of ``map`` if not given.

    Returns:
        An operation: ``operation(x, ..., axis=None, keepdims=False)``.

    Raises:
        LaunchError: one of them is not a function made by ``def``.
        AutographError: one of them is not a function, or ``identity`` is not made of numbers.

    >>> from autograph import Parameter, Tensor, reduction
    >>> from krnlpy import dsl
    >>> def square(x):
    ...     return x * x
    >>> def root(total):
    ...     return dsl.sqrt(total)
    >>> norm = reduction(square, finish=root)
    >>> x = Parameter(Tensor.from_numpy([[3.0, 4.0], [6.0, 8.0]]))
    >>> x.init_grad()
    >>> y = norm(x, axis=1)
    >>> y.sum().backward()
    >>> y.numpy().tolist(), x.grad.numpy().round(3).tolist()
    ([5.0, 10.0], [[0.6, 0.8], [0.6, 0.8]])
    """
    for what, function in (("map", map), ("combine", combine), ("finish", finish), ("gradient", gradient)):
        if not (callable(function) or (function is None and what != "map")):
            raise AutographError(f"reduction({what}={function!r}): expected a function")
    if not (name is None or isinstance(name, str)):
        raise AutographError(f"reduction(name={name!r}): expected text")
    is_state = isinstance(identity, tuple) and all(isinstance(part, int | float) for part in identity)
    if not (is_state or callable(identity)):
        raise AutographError(f"reduction(identity={identity!r}): expected a tuple of numbers, or a function of a dtype")
    return Reduction(map, combine, finish, identity, gradient, name or str(getattr(map, "__name__", "reduction")))


class Reduction:
    """An operation that combines all elements along axes. Made by :func:`reduction`.

    >>> from autograph import Tensor, reduction
    >>> def halves(x):
    ...     return 0.5 * x
    >>> total = reduction(halves)
    >>> total(Tensor.ones((2, 3)), axis=0).numpy().tolist(), total
    ([1.0, 1.0, 1.0], <reduction halves>)
    """

    def __init__(
        self,
        map: Callable[..., Any],
        combine: Callable[..., Any] | None,
        finish: Callable[..., Any] | None,
        identity: Identity | Callable[[ScalarType], Identity],
        gradient: Callable[..., Any] | None,
        name: str,
        *,
        takes_index: bool = False,
        widens: bool = False,
        needs_elements: bool = False,
    ) -> None:
        self.name = name
        self._gradient = gradient
        self._needs_elements = needs_elements
        self._map = Elementwise(map)
        self._finish = None if finish is None else Elementwise(finish)
        combine = combine if combine is None or isinstance(combine, Func) else Func(combine)
        self._operands = len(self._map.parameters) - takes_index
        self._reducer = Reducer(name, self._map, combine, self._finish, identity, self._operands, widens)
        self._is_sum = combine is None and not takes_index
        self._states = Reducer(name, self._map, combine, None, identity, self._operands, widens)

    def __repr__(self) -> str:
        return f"<reduction {self.name}>"

    def __call__(self, *operands: Tensor, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Any:
        """The results.

        Args:
            *operands: tensors whose shapes broadcast.
            axis: one, several, or None for all; below 0 they count from the end.
            keepdims: the axes stay, with length 1.

        Raises:
            AutographError: another number of operands.
            DtypeError: an operand is not a tensor, or the functions do not compile for the dtype.
            ShapeError: shapes do not broadcast, there is no such axis, or no elements where some are needed.
            DeviceError: operands lie on several devices.

        >>> from autograph import Tensor, max
        >>> max(Tensor.from_numpy([[1, 5], [4, 2]]), axis=1).numpy().tolist()
        [5, 4]
        """
        if len(operands) != self._operands:
            raise AutographError(f"{self.name} takes {self._operands} operands; given were {len(operands)}")
        shape = self._shape(operands)
        first = operands[0]
        whole = first if first.shape == shape else first.broadcast_to(shape)
        axes = axes_of(self.name, whole, axis)
        if self._needs_elements and any(shape[a] == 0 for a in axes):
            raise ShapeError(f"{self.name} of a tensor of shape {shape} over the axes {axes}: there are no elements")
        is_recorded = recording.on and any(x.node is not None and x.dtype.is_float for x in operands)
        if is_recorded and self._is_sum and self._gradient is None:
            return self._recorded_sum(operands, shape, axes, keepdims)
        results = self._results(self._reducer, operands, shape, axes)
        if is_recorded and self._gradient is not None:
            results = (self._recorded(operands, results[0], axes),)
        if not keepdims:
            results = tuple(y.reshape(_without(shape, axes)) for y in results)
        return results[0] if len(results) == 1 else results

    def _shape(self, operands: Sequence[Tensor]) -> Shape:
        first = operands[0]
        for x in operands:
            require_tensor(self.name, x)
            if x.device != first.device:
                raise DeviceError(f"{self.name} of tensors on {first.device.name} and on {x.device.name}")
        if len(operands) == 1:
            return first.shape
        return broadcast_shape(self.name, [x.shape for x in operands])

    def _results(
        self,
        reducer: Reducer,
        operands: Sequence[Tensor],
        shape: Shape,
        axes: tuple[int, ...],
        dtypes: tuple[ScalarType, ...] = (),
    ) -> tuple[Tensor, ...]:
        """The results, with axes of length 1; of other dtypes than the reducer's, if these are given."""
        dtype = promoted(self.name, [x.dtype for x in operands])
        buffers = [x.buffer if x.shape == shape else x.buffer.broadcast_to(shape) for x in operands]
        kept = keepdims_shape(shape, axes)
        return tuple(operands[0].result(y.reshape(kept)) for y in reducer.reduced(buffers, axes, dtype, dtypes))

    def _recorded(self, operands: Sequence[Tensor], result: Tensor, axes: tuple[int, ...]) -> Tensor:
        inputs = tuple(operands)
        kept = [saved(x) for x in operands]
        value = result.detach()

        def gradient(dy: Tensor) -> Any:
            # Where the gradient is derived again, so is the result in it.
            y = self(*kept, axis=axes, keepdims=True) if recording.on else value
            assert self._gradient is not None
            parts = self._gradient(*kept, y, dy)
            return parts if len(kept) > 1 else (parts,)

        return differentiable(result, [(inputs, gradient)], higher_order=True)

    def _recorded_sum(self, operands: Sequence[Tensor], shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Any:
        """The sum of what ``map`` gives, and the rest by operations that are recorded themselves."""
        dtype = promoted(self.name, [x.dtype for x in operands])
        # They are rounded to f16 or bf16 once, at the end.
        wide = self._states.steps(tuple(x.dtype for x in operands), dtype)[True, True].states
        states = self._results(self._states, operands, shape, axes, tuple(wide))
        kept = [saved(x) for x in operands]

        def gradient(*dys: Tensor) -> Any:
            return pulled_back(self._map, kept, [dy.broadcast_to(shape) for dy in dys])

        if len(states) == 1:
            states = (differentiable(states[0], [(tuple(operands), gradient)], higher_order=True),)
        else:
            states = differentiable(states, [(tuple(operands), gradient)], higher_order=True)
        results: Any = states
        if self._finish is not None:
            count = 1
            for axis in axes:
                count *= shape[axis]
            takes_count = len(self._finish.parameters) > len(states)
            results = self._finish(*states, *([float(count)] if takes_count else []))
        results = results if isinstance(results, tuple) else (results,)
        results = tuple(y.cast(dtype) if y.dtype.is_float and dtype.is_float else y for y in results)
        if not keepdims:
            results = tuple(y.reshape(_without(shape, axes)) for y in results)
        return results[0] if len(results) == 1 else results


def _without(shape: Shape, axes: tuple[int, ...]) -> Shape:
    return tuple(n for a, n in enumerate(shape) if a not in axes)
