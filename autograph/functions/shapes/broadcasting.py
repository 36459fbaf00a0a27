"""Several tensors brought to one shape. Views throughout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from autograph.errors import AutographError, ShapeError
from autograph.functions.checks import broadcast_shape, integers
from autograph.tensor.base import Shape, require_tensor

from .views import broadcast_to, reshape

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape of an operation's result on tensors of such shapes.

    Args:
        *shapes: tuples of lengths.

    Raises:
        ShapeError: aligned at the right, there are lengths that differ, and neither is 1.

    >>> from autograph import broadcast_shapes
    >>> broadcast_shapes((2, 1), (3,), ())
    (2, 3)
    """
    return broadcast_shape("broadcast_shapes", [integers((shape,)) for shape in shapes])


def broadcast_arrays(*arrays: Tensor) -> tuple[Tensor, ...]:
    """Each tensor repeated to the shape that they have together. Views.

    Args:
        *arrays: of any dtypes and devices.

    Raises:
        ShapeError: the shapes don't broadcast.
        DtypeError: one is no tensor.

    >>> from autograph import asarray, broadcast_arrays
    >>> [x.numpy().tolist() for x in broadcast_arrays(asarray([1, 2]), asarray([[3]]))]
    [[[1, 2]], [[3, 3]]]
    """
    for x in arrays:
        require_tensor("broadcast_arrays", x)
    shape = broadcast_shape("broadcast_arrays", [x.shape for x in arrays])
    return tuple(broadcast_to(x, shape) for x in arrays)


def meshgrid(*arrays: Tensor, indexing: Literal["xy", "ij"] = "xy") -> tuple[Tensor, ...]:
    """The coordinates of a grid's points: for each axis a tensor of the grid's shape. Views.

    Args:
        *arrays: vectors, the places of the points along each axis.
        indexing: ``"ij"``: the axes of the results are in the order of the vectors; ``"xy"``: the first two are
            exchanged, as those of images.

    Raises:
        ShapeError: one is no vector.
        DtypeError: one is no tensor.
        AutographError: ``indexing`` is neither.

    >>> from autograph import arange, meshgrid
    >>> x, y = meshgrid(arange(3), arange(2))
    >>> x.numpy().tolist(), y.numpy().tolist()
    ([[0, 1, 2], [0, 1, 2]], [[0, 0, 0], [1, 1, 1]])
    """
    if not isinstance(indexing, str) or indexing not in ("xy", "ij"):
        raise AutographError(f"meshgrid(indexing={indexing!r}): expected 'xy' or 'ij'")
    for x in arrays:
        require_tensor("meshgrid", x)
        if x.ndim != 1:
            raise ShapeError(f"meshgrid takes vectors, not shape {x.shape}")
    order = list(range(len(arrays)))
    if indexing == "xy":
        order[:2] = reversed(order[:2])
    lengths = tuple(arrays[i].size for i in order)
    return tuple(
        broadcast_to(reshape(x, tuple(x.size if a == i else 1 for a in order)), lengths) for i, x in enumerate(arrays)
    )
