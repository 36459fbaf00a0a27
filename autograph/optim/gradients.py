"""The gradients of all parameters together: their norm, and limits to it; nothing is read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Any, Protocol

from autograph.errors import AutographError, DeviceError, DtypeError
from autograph.functions.checks import is_number
from autograph.functions.reductions.aggregates import vector_norm
from autograph.functions.type_variables import T
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, Device, Func, Global, GlobalMut, ScalarType, f32, f64, kernel
from krnlpy.dsl import sqrt

from .entries import of_one_axis
from .kernels import SMALL, Clocks, RuleKernels, Wanted, squares_of_many


class HasParameters(Protocol):
    """What the gradients are of: a model, or any of its layers."""

    def parameters(self) -> Iterable[Parameter]:
        """The parameters, each once."""


def clip_gradients_by_norm(model: HasParameters, limit: float) -> Tensor:
    """Multiplies all gradients by the same number where their norm, as of one vector, is above a limit.

    Call it between ``loss.backward()`` and ``model.update``. Where the norm is infinite or NaN, the gradients stay as
    they are. That of f32 gradients is that of PyTorch's ``clip_grad_norm_``.

    Args:
        model: a layer; parameters without gradients do not count.
        limit: of the norm, above 0.

    Returns:
        The norm before, a tensor of no axes on the model's device.

    Raises:
        AutographError: ``limit`` is not a number above 0.
        DtypeError: ``model`` has no parameters. DeviceError: they lie on several devices.

    >>> from autograph import SGD, Dense, Tensor
    >>> from autograph.optim import clip_gradients_by_norm
    >>> model = Dense(2, 1, seed=0)
    >>> model.init_parameter_grads()
    >>> model(Tensor.from_numpy([[3.0, 4.0]]).cast("f32")).sum().backward()
    >>> clip_gradients_by_norm(model, 1.0).item()
    5.0
    >>> [[round(g, 4) for g in row] for row in model.weight.grad.tolist()]
    [[0.6], [0.8]]
    """
    limit = _limit("clip_gradients_by_norm", limit)
    parameters = with_gradients("clip_gradients_by_norm", model)
    squares = _squares(parameters)
    if squares is None:
        return Tensor.zeros(())
    norm, factor = (Tensor.empty((), squares.dtype, squares.device) for _ in range(2))
    outputs = [tensor.writable().reshape(1) for tensor in (norm, factor)]
    _clip.with_groups(1)(limit, squares, *outputs)
    multiply_gradients(parameters, factor)
    return norm


def clip_gradients_by_value(model: HasParameters, limit: float) -> None:
    """Brings all gradients between ``-limit`` and ``limit``, number by number.

    Args:
        model: a layer; parameters without gradients do not count.
        limit: above 0.

    Raises:
        AutographError: ``limit`` is not a number above 0.
        DtypeError: ``model`` has no parameters. DeviceError: they lie on several devices.

    >>> from autograph import Dense, Tensor
    >>> from autograph.optim import clip_gradients_by_value
    >>> model = Dense(2, 1, seed=0)
    >>> model.init_parameter_grads()
    >>> model(Tensor.from_numpy([[3.0, 0.5]]).cast("f32")).sum().backward()
    >>> clip_gradients_by_value(model, 1.0)
    >>> model.weight.grad.tolist()
    [[1.0], [0.5]]
    """
    limit = _limit("clip_gradients_by_value", limit)
    _change(_CLIP, with_gradients("clip_gradients_by_value", model), limit, None)


def multiply_gradients(parameters: Sequence[Parameter], factor: Tensor) -> None:
    """Multiplies the gradients by a number on their device; where that is 0, they stay as they are."""
    _change(_MULTIPLY, parameters, 1.0, factor)


def squares_of(parameters: Sequence[Parameter], device: Device) -> Buffer:
    """Numbers whose sum is that of the squares of all gradients."""
    found = _squares(parameters)
    return Buffer.zeros(1, f32, device) if found is None else found


def with_gradients(operation: str, model: Any) -> list[Parameter]:
    """The parameters of a model that have gradients.

    Raises:
        DtypeError: it has no parameters. DeviceError: they lie on several devices.
    """
    if not callable(getattr(model, "parameters", None)) or isinstance(model, type):
        raise DtypeError(f"{operation} takes a layer, not {type(model).__name__}")
    found = [parameter for parameter in model.parameters() if parameter.grad is not None]
    for parameter in found:
        if parameter.device != found[0].device:
            raise DeviceError(f"{operation}: parameters on {found[0].device.name} and on {parameter.device.name}")
    return found


def _limit(operation: str, limit: Any) -> float:
    if not (is_number(limit) and 0 < limit < inf):
        raise AutographError(f"{operation}: limit={limit!r}; expected a number above 0")
    return float(limit)


def _squares(parameters: Sequence[Parameter]) -> Buffer | None:
    """Numbers whose sum is that of the squares of all gradients; None if there are none."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None and parameter.size]
    if not gradients:
        return None
    compute = f64 if any(gradient.dtype is f64 for gradient in gradients) else f32
    by_type: dict[ScalarType, list[Buffer]] = {}
    for gradient in gradients:
        if gradient.size > SMALL or not gradient.is_contiguous():
            # Of a large one, the norm; sums of f16 are too large for it.
            gradient = vector_norm(gradient.detach().cast(compute))
        by_type.setdefault(gradient.dtype, []).append(of_one_axis(gradient.buffer))
    squares = Buffer.empty(len(gradients), compute, gradients[0].device)
    first = 0
    for dtype, buffers in by_type.items():
        many = squares_of_many(dtype, compute)
        for begin in range(0, len(buffers), many.count):
            part = [[buffer] for buffer in buffers[begin : begin + many.count]]
            many([first, squares], part, groups=len(part))
            first += len(part)
    return squares


def _multiplied(w: Any, g: Any, rate: Any) -> Any:
    return g


def _clipped(w: Any, g: Any, rate: Any) -> Any:
    return rate if w > rate else (-rate if w < -rate else w)


def _nothing(step: Any) -> Any:
    return step


_NO_CLOCKS = Clocks(0, Func(_nothing), True, 0, None)
_MULTIPLY = RuleKernels("multiplied", Func(_multiplied), 0, _NO_CLOCKS)
_CLIP = RuleKernels("clipped", Func(_clipped), 0, _NO_CLOCKS)


def _change(kernels: RuleKernels, parameters: Sequence[Parameter], rate: float, factor: Tensor | None) -> None:
    """Changes gradients in place by a rule, whose weight and gradient they both are. Of narrow ones the result is
    rounded: no master is kept."""
    shared: dict[Wanted, list[list[Buffer]]] = {}
    head_of: dict[ScalarType, list[Any]] = {}
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is None or not gradient.size:
            continue
        wanted = Wanted(gradient.dtype, gradient.dtype, 0, factor is not None, has_master=False)
        compute = gradient.dtype.compute
        if compute not in head_of:
            head_of[compute] = [rate, 1.0, *([] if factor is None else [factor.cast(compute).buffer.reshape(1)])]
        buffer = gradient.writable()
        if gradient.size > SMALL or not buffer.is_contiguous():
            kernels.of_one(wanted)(*head_of[compute], buffer, buffer)
        else:
            flat = of_one_axis(buffer)
            shared.setdefault(wanted, []).append([flat, flat])
    for wanted, segments in shared.items():
        many = kernels.of_many(wanted)
        for part in parts_of(segments, many.count):
            many(head_of[wanted.dtype.compute], part)


def parts_of(segments: list[list[Buffer]], count: int) -> Iterator[list[list[Buffer]]]:
    """At most so many of them at a time."""
    for begin in range(0, len(segments), count):
        yield segments[begin : begin + count]


@kernel(threads=1)
def _clip(limit: T, squares: Global[T], norm: GlobalMut[T], factor: GlobalMut[T]) -> None:
    """The norm, and what brings it to the limit: 0, which changes nothing, where it is below, infinite or NaN."""
    total = T(0)
    for i in range(len(squares)):
        total += squares[i]
    length = sqrt(total)
    norm[0] = length
    share = limit / (length + 1e-6)
    factor[0] = share if share > 0.0 and share < 1.0 else T(0.0)
