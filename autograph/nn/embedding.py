"""Rows of a learned table."""

from __future__ import annotations

from autograph.errors import ShapeError
from autograph.functions.indexing.along_axes import Indices
from autograph.functions.indexing.embedding import embedding
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32

from .initialize import initial, require_counts
from .initializers import Fans, Initializer, normal
from .layer import Layer
from .seeds import Seed, generator
from .settings import settings


class Embedding(Layer):
    """A learned vector for each of some things, such as words, which are numbered.

    Args:
        count: of things.
        features: of a vector.
        padding_index: the number of what only fills up sequences: its vector is 0 at first and is not trained.
        device: where the table is; None is the host.
        dtype: a float type.
        seed: an int, a generator to draw from, or None; see :func:`autograph.seeded`.
        initialize: how the table starts; None is normally, with a standard deviation of 1.

    Attributes:
        weight: ``[count, features]``.

    Raises:
        AutographError: a count is below 1, or ``seed`` is not a seed, or ``initialize`` no function.
        ShapeError: there is no such ``padding_index``.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import Embedding, Tensor
    >>> words = Embedding(1000, 16, padding_index=0, seed=0)
    >>> words(Tensor.from_numpy([[7, 3, 0], [5, 0, 0]])).shape
    (2, 3, 16)
    """

    def __init__(
        self,
        count: int,
        features: int,
        *,
        padding_index: int | None = None,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
        initialize: Initializer | None = None,
    ) -> None:
        require_counts("Embedding", count=count, features=features)
        if padding_index is not None and not (isinstance(padding_index, int) and -count <= padding_index < count):
            raise ShapeError(f"Embedding(padding_index={padding_index!r}) of {count} vectors: expected one of them")
        self.padding_index = padding_index
        how = normal() if initialize is None else initialize
        self.weight = initial((count, features), Fans(count, features), how, generator(seed), dtype, device)
        if padding_index is not None:
            self.weight[padding_index] = 0

    def forward(self, indices: Indices) -> Tensor:
        """The vectors of things.

        Args:
            indices: whole numbers of any shape.

        Returns:
            ``[*indices.shape, features]``.

        Raises:
            ShapeError: an index is out of range, and lies on the host.
            DtypeError: the indices are not whole numbers.
            DeviceError: the indices are a tensor on another device.

        >>> from autograph import Embedding, initializers
        >>> Embedding(3, 2, initialize=initializers.constant(0.5))([2, 0]).numpy().tolist()
        [[0.5, 0.5], [0.5, 0.5]]
        """
        return embedding(self.weight, indices, self.padding_index)

    def describe(self) -> str:
        return settings(*self.weight.shape, padding_index=(self.padding_index, None))
