"""The different elements of a tensor: which, where the first of each is, which each element is, how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from autograph.functions.scans.cumulative import sums_along
from autograph.functions.type_variables import T
from autograph.tensor.base import require_tensor
from krnlpy import Buffer, GlobalMut, Item, ItemMut, i32, kernel
from krnlpy.dsl import item_id

from .keys import K, keys_of
from .places import neighbours, taken
from .sorts import order_along, sort

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


class UniqueAll(NamedTuple):
    """The different elements in ascending order, the place of the first of each, which of them each element is, and how
    many there are of each; the last three i32."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """The different elements in ascending order, and how many there are of each, as i32."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """The different elements in ascending order, and which of them each element is, as i32."""

    values: Tensor
    inverse_indices: Tensor


@kernel
def _begins(x: Item[T], key: Item[K], before: Item[K], out: ItemMut[i32]) -> None:
    """1 for what differs from the element before it, as each NaN does."""
    out = 1 if item_id() == 0 or key != before or x != x else 0


@kernel
def _first_places(numbers: Item[i32], begins: Item[i32], firsts: GlobalMut[i32]) -> None:
    """``numbers`` are those of the elements in order, from 1 on."""
    if begins == 1:
        firsts[numbers - 1] = item_id()


@kernel
def _number(numbers: Item[i32], order: Item[i32], inverse: GlobalMut[i32]) -> None:
    inverse[order] = numbers - 1


@kernel
def _lengths(first: Item[i32], following: Item[i32], out: ItemMut[i32], total: i32, last: i32) -> None:
    out = (following if item_id() < last else total) - first


def unique_all(x: Tensor) -> UniqueAll:
    """The different elements of a tensor in ascending order, and where they are.

    -0.0 equals 0.0; NaN equals nothing, so that there is one for each. To know how many there are, the host waits for
    the device.

    Args:
        x: any shape and dtype; elements are taken in row-major order.

    Returns:
        ``values``; ``indices``, where the first of each is; ``inverse_indices``, of x's shape, which of the values each
        element is; and ``counts``. The latter three are i32.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, unique_all
    >>> found = unique_all(Tensor.from_numpy([3, 1, 3, 2]))
    >>> found.values.numpy().tolist(), found.indices.numpy().tolist()
    ([1, 2, 3], [1, 3, 0])
    >>> found.inverse_indices.numpy().tolist(), found.counts.numpy().tolist()
    ([2, 0, 2, 1], [1, 1, 2])
    """
    return _unique("unique_all", x)


def unique_counts(x: Tensor) -> UniqueCounts:
    """The different elements of a tensor in ascending order, and how many there are of each; as :func:`unique_all`.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, unique_counts
    >>> values, counts = unique_counts(Tensor.from_numpy([3, 1, 3, 2]))
    >>> counts.numpy().tolist()
    [1, 1, 2]
    """
    require_tensor("unique_counts", x)
    ordered = sort(x.detach().reshape(-1))
    _, firsts = _different(ordered)
    return UniqueCounts(_at(ordered, firsts), x.result(_counts(firsts, x.size)))


def unique_inverse(x: Tensor) -> UniqueInverse:
    """The different elements of a tensor in ascending order, and which of them each element is; as :func:`unique_all`.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, unique_inverse
    >>> values, inverse = unique_inverse(Tensor.from_numpy([3, 1, 3, 2]))
    >>> inverse.numpy().tolist()
    [2, 0, 2, 1]
    """
    found = _unique("unique_inverse", x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: Tensor) -> Tensor:
    """The different elements of a tensor in ascending order; as :func:`unique_all`.

    Raises:
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, unique_values
    >>> unique_values(Tensor.from_numpy([3, 1, 3, 2])).numpy().tolist()
    [1, 2, 3]
    """
    require_tensor("unique_values", x)
    ordered = sort(x.detach().reshape(-1))
    return _at(ordered, _different(ordered)[1])


def _unique(name: str, x: Tensor) -> UniqueAll:
    require_tensor(name, x)
    flat, total = x.detach().reshape(-1), x.size
    order = x.result(order_along(flat, 0, descending=False).reshape((total,)))
    ordered = _at(flat, order.buffer)
    numbers, firsts = _different(ordered)
    inverse = Buffer.empty(total, i32, x.device)
    if total:
        _number(numbers, order.buffer, inverse)
    return UniqueAll(
        _at(ordered, firsts), _at(order, firsts), x.result(inverse.reshape(x.shape)), x.result(_counts(firsts, total))
    )


def _different(ordered: Tensor) -> tuple[Buffer, Buffer]:
    """Which of the different elements each of ``[n]`` sorted ones is, from 1 on; and where the first of each stands."""
    begins, firsts = (Buffer.empty(ordered.size, i32, ordered.device) for _ in range(2))
    if not ordered.size:
        return begins, firsts
    keys = keys_of(ordered.buffer).buffer
    _begins(ordered.buffer, keys, neighbours(keys, before=True), begins)
    numbers = sums_along(begins, 0)
    _first_places(numbers, begins, firsts)
    return numbers, firsts[: int(numbers[-1:].numpy()[0])].copy()


def _counts(firsts: Buffer, total: int) -> Buffer:
    counts = Buffer.empty(len(firsts), i32, firsts.device)
    if counts.size:
        _lengths(firsts, neighbours(firsts, before=False), counts, total, len(firsts) - 1)
    return counts


def _at(x: Tensor, places: Buffer) -> Tensor:
    return taken(x, places.reshape((1, len(places))), 0)
