"""One trial: an operation of random arguments, its value and its gradients, against PyTorch's in f64."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from autograph import Parameter, Tensor
from krnlpy import Device, Feature, ScalarType, scalar_type

from . import arrangement, counting, drawing, losses, special, windows
from .drawing import Array
from .operations import OPERATIONS, Operation

torch: Any = import_module("torch")

# The table is that of all these modules.
__all__ = ["OPERATIONS", "Result", "arrangement", "counting", "losses", "run", "special", "windows"]

_EPS = {4: float(np.finfo(np.float32).eps), 8: float(np.finfo(np.float64).eps)}
_ROUNDED = {"f16": 2.0**-11, "bf16": 2.0**-8}
"""What storing a number takes off it, in shares of it."""


@dataclass(frozen=True)
class Result:
    """What became of a trial.

    Attributes:
        name: the operation.
        fault: what is wrong; "" if nothing is.
    """

    name: str
    fault: str


def run(seed: int, device: Device, only: str | None = None) -> Result:
    """The trial of a seed; of one operation, if one is named."""
    random = np.random.default_rng(seed)
    operation = OPERATIONS[only or str(random.choice(sorted(OPERATIONS)))]
    names = [name for name in operation.dtypes if _computes(device, scalar_type(name))]
    dtype = scalar_type(str(random.choice(names)))
    shapes, keywords = operation.draw(random)
    what = f"{operation.name} of {dtype}, shapes {shapes}, {keywords}"
    special = dtype.is_float and operation.special and random.random() < 0.3
    arrays, tensors = [], []
    for place, shape in enumerate(shapes):
        low, high = operation.intervals[min(place, len(operation.intervals) - 1)]
        drawn = drawing.numbers(random, shape, dtype, low, high, special=special)
        if operation.kinks and dtype.is_float:
            drawn = drawing.off_whole_numbers(drawn)
        array, tensor = drawing.laid_out(random, drawn, device)
        arrays.append(array)
        tensors.append(tensor)
    what += f", strides {[x.strides for x in tensors]}"
    has_gradient = operation.gradient and dtype.is_float and not special
    try:
        fault = _compared(random, operation, dtype, arrays, tensors, keywords, has_gradient)
    except Exception:
        fault = traceback.format_exc(limit=-4)
    return Result(operation.name, f"{what}\n{fault}" if fault else "")


def _computes(device: Device, dtype: ScalarType) -> bool:
    if dtype.size < 8:
        return True
    return (Feature.FLOAT64 if dtype.is_float else Feature.INT64) in device.info.features


def _dtype_of(result: Any, operand: ScalarType) -> ScalarType:
    """What our result of operands of a dtype should have, where PyTorch, which computes floats in f64, has this one."""
    if result.is_floating_point():
        return operand if operand.is_float else scalar_type("f32")
    return scalar_type(str(result.dtype).removeprefix("torch."))


def _compared(
    random: np.random.Generator,
    operation: Operation,
    dtype: ScalarType,
    arrays: list[Array],
    tensors: list[Tensor],
    keywords: dict[str, Any],
    has_gradient: bool,
) -> str:
    wide = [torch.tensor(np.array(a, np.float64 if dtype.is_float else a.dtype)) for a in arrays]
    for x in wide:
        x.requires_grad_(has_gradient)
    inputs = [Parameter(x) for x in tensors] if has_gradient else tensors
    for x in inputs:
        if isinstance(x, Parameter):
            x.init_grad()
    theirs = operation.theirs(*wide, **keywords)
    ours = operation.ours(*inputs, **keywords)
    several = isinstance(ours, tuple)
    results, expected = (ours, tuple(theirs)) if several else ((ours,), (theirs,))
    scale = None if operation.scale is None else operation.scale(*[x.detach().abs() for x in wide], **keywords)
    for y, z in zip(results, expected, strict=True):
        if y.shape != tuple(z.shape):
            return f"a result of shape {y.shape}; PyTorch's has {tuple(z.shape)}"
        if operation.gives == "wide":
            expected_dtype = scalar_type(dtype.compute)
        else:
            expected_dtype = scalar_type(operation.gives) if operation.gives else _dtype_of(z, dtype)
        if y.dtype is not expected_dtype:
            return f"a result of {y.dtype}; expected is {expected_dtype}"
        wanted = z.detach().numpy()
        size = np.abs(wanted) if scale is None else scale.numpy()
        found = _difference(y.numpy(), wanted, y.dtype, operation.ulps, size, rounds=operation.rounds)
        if found:
            return found
    if not has_gradient:
        return ""
    dys = [random.uniform(0.5, 2, y.shape) * random.choice((-1, 1), y.shape) for y in results]
    given = [Tensor.from_numpy(dy.astype(y.dtype.dtype), tensors[0].device) for dy, y in zip(dys, results, strict=True)]
    if several:  # whose graph is freed at once
        sum((y * dy).sum() for y, dy in zip(results, given, strict=True)).backward()
    else:
        ours.backward(given[0])
    torch.autograd.backward(expected, [torch.tensor(np.array(dy.numpy(), np.float64)) for dy in given])
    for place, (x, z) in enumerate(zip(inputs, wide, strict=True)):
        assert isinstance(x, Parameter)
        if (x.grad is None) != (z.grad is None):
            return f"gradient {place}: {x.grad}, PyTorch's: {z.grad}"
        if x.grad is None:
            continue
        reference = z.grad.numpy()
        # Terms of either sign, the greatest of which is not known, are added up; f16 and bf16 round between operations.
        size = np.abs(reference) + np.max(np.abs(reference), initial=1.0)
        found = _difference(x.grad.numpy(), reference, dtype, operation.slack, size, rounds=4)
        if found:
            return f"gradient {place}: {found}"
    return ""


def _difference(found: Array, wanted: Array, dtype: ScalarType, ulps: float, size: Array, rounds: int) -> str:
    """What is wrong with an array; "" if nothing is.

    Args:
        ulps: how many units in the last place of ``size`` a number may be off.
        rounds: how often a number of f16 or bf16 was rounded.
    """
    if not dtype.is_float:
        wrong = np.asarray(found != wanted)
    else:
        with np.errstate(all="ignore"):
            rounded = wanted.astype(dtype.dtype)
            same = (found == rounded) | (np.isnan(found) & np.isnan(wanted))
            unit = float(np.finfo(dtype.compute.dtype).smallest_normal)  # numbers below may be taken for 0
            allowed = ulps * _EPS[dtype.compute.size] * size + 2 * unit
            allowed = allowed + rounds * _ROUNDED.get(dtype.name, 0) * (size if rounds > 1 else np.abs(wanted))
            # A number that is too great by as much becomes an infinity.
            great = float(np.finfo(np.float16).max) if dtype.name == "f16" else float(np.finfo(np.float32).max)
            near = np.where(np.isinf(found), np.copysign(great, found), found.astype(np.float64))
            wrong = ~same & ~(np.abs(near - wanted) <= allowed)
            wrong |= np.isinf(wanted) & ~same
            wrong |= (wanted == 0) & (found == 0) & (np.signbit(found) != np.signbit(wanted)) & (ulps == 0)
    if not wrong.any():
        return ""
    place = tuple(int(i[0]) for i in np.nonzero(wrong)) if wrong.ndim else ()
    return f"{int(wrong.sum())} of {wrong.size} differ; at {place}: {found[place]}, PyTorch's: {wanted[place]}"
