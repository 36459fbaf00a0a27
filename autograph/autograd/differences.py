"""Gradients checked against differences of values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.errors import AutographError, DtypeError
from autograph.tensor.base import TensorBase, recording
from krnlpy import Buffer, ScalarType, f32, f64

from .tape import propagate
from .transformations import as_input, zeros_like

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Array = np.ndarray[Any, Any]

# Step, relative and absolute tolerance. A central difference is off by about step ** 2 times a third derivative, and by
# the roundings of two values divided by the step.
_MEASURES: dict[Any, tuple[float, float, float]] = {f64: (2.0**-20, 1e-5, 1e-6), f32: (2.0**-7, 2e-2, 2e-3)}


def gradcheck(
    f: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    order: int = 1,
    step: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Compares derived gradients of a function with central differences of its values.

    Each element of each input of floats is changed by a step, up and down. What is compared is the derivative of the
    sum of all results, each times a weight that is drawn from a fixed seed.

    Args:
        f: from tensors to a tensor or a tuple of them; the same values for the same inputs each time.
        inputs: its arguments, or the only one. Those of f64 or f32 are changed, others are handed over as they are.
        order: 2 checks the gradient's own gradient too, and so on.
        step: relative to elements above 1; None is ``2**-20`` of f64 and ``2**-7`` of f32.
        rtol: what the numbers may differ by, relative to the difference; None is 1e-5 of f64 and 2e-2 of f32.
        atol: and besides; None is 1e-6 of f64 and 2e-3 of f32.

    Raises:
        AutographError: two numbers differ, which names the input, its element and both; or ``f`` is not a function or
            gives other values for the same inputs, or a gradient on the way cannot be derived again; or ``order``,
            ``step``, ``rtol`` or ``atol`` is no such number.
        DtypeError: no input holds f64 or f32, one holds f16 or bf16, or ``f`` gives no tensors.

    >>> import numpy as np
    >>> from autograph import Tensor, gradcheck, tanh
    >>> x = Tensor.from_numpy(np.linspace(-1, 1, 5))
    >>> gradcheck(lambda x: x * tanh(x), x, order=2)
    """
    arguments = [inputs] if isinstance(inputs, TensorBase) else list(inputs) if isinstance(inputs, Sequence) else []
    if not callable(f) or not arguments:
        raise AutographError(f"gradcheck of {f!r} at {inputs!r}: expected a function and its arguments")
    times = _order(order)
    for name, number in (("step", step), ("rtol", rtol), ("atol", atol)):
        if not (number is None or (isinstance(number, Real) and isfinite(number) and number > 0)):
            raise AutographError(f"gradcheck({name}={number!r}): expected a number above 0")
    places = []
    for place, x in enumerate(arguments):
        if isinstance(x, TensorBase) and x.dtype.is_float:
            if x.dtype not in _MEASURES:
                raise DtypeError(f"gradcheck by input {place}, of {x.dtype}: convert it to f64 first")
            places.append(place)
    if not places:
        raise DtypeError("gradcheck takes tensors of f64 or f32 among the inputs")
    for count in range(1, times + 1):
        what = "gradient" if count == 1 else f"derivative of order {count}"
        _compare(f, arguments, places, (step, rtol, atol), what)
        if count < times:
            f = _gradient_of(f, places)


def _order(order: Any) -> int:
    try:
        times = operator.index(order)
    except TypeError:
        times = 0
    if times < 1:
        raise AutographError(f"gradcheck(order={order!r}): expected a whole number of at least 1")
    return times


def _compare(
    f: Callable[..., Any],
    arguments: list[Any],
    places: list[int],
    given: tuple[float | None, float | None, float | None],
    what: str,
) -> None:
    value = _weighted(f, arguments)
    if value != _weighted(f, arguments) and value == value:
        raise AutographError("gradcheck of a function that gives other values for the same inputs")
    gradients = _gradient_of(f, places)(*arguments)
    for place, gradient in zip(places, gradients, strict=True):
        x = arguments[place]
        step, rtol, atol = (
            default if number is None else number for number, default in zip(given, _MEASURES[x.dtype], strict=True)
        )
        elements, derived = np.array(x.numpy()), gradient.numpy()
        for at in np.ndindex(*elements.shape):
            number = _difference(f, arguments, place, elements, at, step)
            found = float(derived[at])
            if not abs(found - number) <= atol + rtol * abs(number):
                raise AutographError(
                    f"gradcheck: the {what} by input {place} at element {at} is {found:.9g}, differences of values"
                    f" give {number:.9g}"
                )


def _difference(
    f: Callable[..., Any], arguments: list[Any], place: int, elements: Array, at: tuple[int, ...], step: float
) -> float:
    """The slope between two neighbours of an element."""
    values, ends = [], []
    for sign in (1, -1):
        changed = elements.copy()
        changed[at] += sign * step * max(1.0, abs(float(elements[at])))
        ends.append(float(changed[at]))
        x = arguments[place]
        moved = x.result(Buffer.from_numpy(changed, x.device))
        values.append(_weighted(f, [*arguments[:place], moved, *arguments[place + 1 :]]))
    return (values[0] - values[1]) / (ends[0] - ends[1])


def _weighted(f: Callable[..., Any], arguments: list[Any]) -> float:
    """The sum of all results with their weights, in f64."""
    results = _results(f, [x.detach() if isinstance(x, TensorBase) else x for x in arguments])
    parts = zip(results, _weights(results), strict=True)
    return float(sum((y.numpy().astype(np.float64) * weights).sum() for y, weights in parts))


def _weights(results: Sequence[Tensor]) -> list[Array]:
    """A weight for each element of each result: between 1/2 and 1, of both signs, exact in f32."""
    rng = np.random.default_rng(0)
    return [
        (rng.integers(512, 1024, y.shape) / 1024 * rng.choice([-1, 1], y.shape)).astype(np.float64) for y in results
    ]


def _results(f: Callable[..., Any], arguments: list[Any]) -> tuple[Tensor, ...]:
    given = f(*arguments)
    results = given if isinstance(given, tuple | list) else (given,)
    if not (results and all(isinstance(y, TensorBase) for y in results)):
        raise DtypeError(f"gradcheck of a function that gives {given!r}: expected a tensor, or a tuple of them")
    return tuple(results)


def _gradient_of(f: Callable[..., Any], places: list[int]) -> Callable[..., tuple[Tensor, ...]]:
    """The function of the same arguments that gives the gradients of the weighted sum by some of them."""

    def gradients(*args: Any) -> tuple[Tensor, ...]:
        given = list(args)
        for place in places:
            given[place] = as_input(args, place)
        is_recorded = any(args[place].tracked for place in places)
        recorded, recording.on = recording.on, True
        try:
            results = _results(f, given)
        finally:
            recording.on = recorded
        nodes = {place: given[place].node for place in places}
        totals: dict[int, Tensor] = {}
        last = len(results) - 1
        for i, (y, weights) in enumerate(zip(results, _weights(results), strict=True)):
            if y.node is None:
                continue
            dtype: ScalarType = y.dtype
            seed = y.result(Buffer.from_numpy(weights.astype(dtype.dtype), y.device))
            # Results share a graph, which the last one may free.
            found = propagate(y.node, seed, list(nodes.values()), is_recorded or i < last)
            for place, node in nodes.items():
                if node in found:
                    totals[place] = totals[place] + found[node] if place in totals else found[node]
        return tuple(totals[place] if place in totals else zeros_like(args[place]) for place in places)

    return gradients
