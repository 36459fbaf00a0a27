"""Places of elements among sorted ones, and whether elements are among others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.elementwise.promotion import as_number, number_type, promoted
from autograph.functions.type_variables import T
from autograph.tensor.base import TensorBase, require_tensor
from krnlpy import Buffer, Global, Item, ItemMut, Spec, i32, kernel

from .keys import K, keys_of
from .places import taken
from .sorts import sort

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


@kernel
def _search(ordered: Global[K], wanted: Item[K], place: ItemMut[i32], RIGHT: Spec[i32] = 0) -> None:
    """How many of the keys are below the one that is wanted; or, to its right, not above."""
    low = 0
    high = len(ordered)
    while low < high:
        middle = low + (high - low) // 2
        key = ordered[middle]
        if key < wanted or (RIGHT == 1 and key == wanted):
            low = middle + 1
        else:
            high = middle
    place = low


@kernel
def _found(
    ordered: Global[K], wanted: Item[K], place: Item[i32], given: Item[T], out: ItemMut[bool], invert: bool
) -> None:
    # What equals nothing, not even itself, is not among the others.
    is_there = place < len(ordered) and ordered[min(place, len(ordered) - 1)] == wanted and given == given
    out = is_there != invert


def searchsorted(
    x1: Tensor,
    x2: Tensor | float,
    *,
    side: Literal["left", "right"] = "left",
    sorter: Tensor | None = None,
) -> Tensor:
    """Where elements could be inserted in sorted ones, which would stay sorted: the places, as i32.

    NaN stands behind all other numbers, and -0.0 equals 0.0, as :func:`sort` has them.

    Args:
        x1: ``[n]``, in ascending order, unless ``sorter`` is given.
        x2: what is looked for: any shape, or a number. The two are promoted to one dtype.
        side: ``"left"`` is before elements that are equal, ``"right"`` behind them.
        sorter: ``[n]`` places, of whole numbers, that put ``x1`` in order: :func:`argsort`'s.

    Raises:
        ShapeError: ``x1`` does not have one axis, or ``sorter`` not its length.
        DtypeError: one is not a tensor, or the dtypes cannot be promoted.
        DeviceError: they lie on several devices.
        AutographError: ``side`` is something else.

    >>> from autograph import Tensor, searchsorted
    >>> x = Tensor.from_numpy([1, 3, 3, 5])
    >>> searchsorted(x, Tensor.from_numpy([3, 6])).numpy().tolist(), searchsorted(x, 3, side="right").item()
    ([1, 4], 3)
    """
    name = "searchsorted"
    if not (isinstance(side, str) and side in ("left", "right")):
        raise AutographError(f"searchsorted(side={side!r}): expected 'left' or 'right'")
    require_tensor(name, x1)
    if x1.ndim != 1:
        raise ShapeError(f"searchsorted takes sorted elements of shape [n], not {x1.shape}")
    ordered, wanted = _alike(name, x1, x2)
    if sorter is not None:
        ordered = _in_order(ordered, sorter)
    return wanted.result(places_among(keys_of(ordered.buffer).buffer, keys_of(wanted.buffer).buffer, side == "right"))


def places_among(ordered: Buffer, keys: Buffer, is_right: bool = False) -> Buffer:
    """The places of keys, of any shape, among ``[n]`` sorted ones."""
    places = Buffer.empty(keys.shape, i32, keys.device)
    if not len(ordered):
        places.fill(0)
    elif places.size:
        _search.specialize(RIGHT=int(is_right))(ordered, keys, places)
    return places


def _in_order(x: Tensor, sorter: Tensor) -> Tensor:
    require_tensor("searchsorted(sorter=)", sorter)
    if not sorter.dtype.is_integer:
        raise DtypeError(f"searchsorted(sorter=) takes places as whole numbers, not {sorter.dtype}")
    if sorter.device != x.device:
        raise DeviceError(f"searchsorted of a tensor on {x.device.name} with a sorter on {sorter.device.name}")
    if sorter.shape != x.shape:
        raise ShapeError(f"searchsorted of {x.shape} sorted elements with a sorter of shape {sorter.shape}")
    return taken(x, sorter.buffer.cast(i32).reshape((1, sorter.size)), 0)


def isin(x1: Tensor | float, x2: Tensor | float, *, invert: bool = False) -> Tensor:
    """Whether each element is one of some others. NaN is none.

    Args:
        x1: any shape, or a number.
        x2: the others: any shape, or a number; one of the two is a tensor. They are promoted to one dtype.
        invert: whether it is none of them.

    Raises:
        DtypeError: neither is a tensor, or the dtypes cannot be promoted.
        DeviceError: they lie on several devices.

    >>> from autograph import Tensor, isin
    >>> isin(Tensor.from_numpy([1, 2, 3]), Tensor.from_numpy([3, 1])).numpy().tolist()
    [True, False, True]
    """
    wanted, others = _alike("isin", x1, x2)
    out = Buffer.empty(wanted.shape, bool, wanted.device)
    if not others.size:
        out.fill(bool(invert))
    elif out.size:
        ordered, keys = keys_of(sort(others.detach().reshape(-1)).buffer).buffer, keys_of(wanted.buffer).buffer
        _found(ordered, keys, places_among(ordered, keys), wanted.buffer, out, bool(invert))
    return wanted.result(out)


def _alike(name: str, x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    """Two operands as tensors of one dtype, of which one may be a number."""
    tensors = [x for x in (x1, x2) if isinstance(x, TensorBase)]
    if not tensors:
        raise DtypeError(f"{name} takes tensors, and a number beside one; given were {x1!r} and {x2!r}")
    dtype = promoted(name, [x.dtype for x in tensors])
    for x in (x1, x2):
        if not isinstance(x, TensorBase) and (own := number_type(name, x, dtype)) is not dtype.compute:
            dtype = own
    device = tensors[0].device
    if tensors[-1].device != device:
        raise DeviceError(f"{name} of tensors on {device.name} and on {tensors[-1].device.name}")
    found = [
        x.detach().cast(dtype)
        if isinstance(x, TensorBase)
        else tensors[0].result(Buffer.full((), as_number(name, x, dtype), dtype, device))
        for x in (x1, x2)
    ]
    return found[0], found[1]
