"""Where something stands in a sequence: tables that are added, and rotations of queries and keys."""

from __future__ import annotations

from autograph.errors import ShapeError
from autograph.functions.attention.positions import sinusoidal_positions
from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32

from ..initialize import initial, require_counts
from ..initializers import Fans, Initializer, normal
from ..layer import Layer
from ..seeds import Seed, generator
from ..settings import settings


class LearnedPositions(Layer):
    """Adds a learned vector for each place of a sequence ``[..., length, features]``.

    Args:
        count: of places; sequences are at most so long.
        features: of a vector.
        device: where the table is; None is the host.
        dtype: a float type.
        seed: an int, a generator to draw from, or None; see :func:`autograph.seeded`.
        initialize: how the table starts; None is normally, with a standard deviation of 0.02.

    Attributes:
        weight: ``[count, features]``.

    Raises:
        AutographError: a count is below 1, or ``seed`` is not a seed, or ``initialize`` no function.
        DtypeError: ``dtype`` is not a float type, or ``device`` no Device.

    >>> from autograph import LearnedPositions, Tensor
    >>> LearnedPositions(100, 4, seed=0)(Tensor.zeros((2, 7, 4))).shape
    (2, 7, 4)
    """

    def __init__(
        self,
        count: int,
        features: int,
        *,
        device: Device | None = None,
        dtype: DTypeLike = f32,
        seed: Seed = None,
        initialize: Initializer | None = None,
    ) -> None:
        require_counts("LearnedPositions", count=count, features=features)
        how = normal(std=0.02) if initialize is None else initialize
        self.weight = initial((count, features), Fans(count, features), how, generator(seed), dtype, device)

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        """``x`` plus the vectors of its places.

        Args:
            x: ``[..., length, features]``.
            offset: the place of its first vector: how many came before, where a cache has them.

        Raises:
            ShapeError: the sequence ends after the last place, or has other features.
            DtypeError: ``x`` is not a tensor.

        >>> from autograph import LearnedPositions, Tensor
        >>> layer = LearnedPositions(4, 2, seed=0)
        >>> (layer(Tensor.zeros((1, 2)), offset=3)[0] == layer.weight[3]).all().item()
        True
        """
        require_tensor("LearnedPositions", x)
        count, features = self.weight.shape
        if x.ndim < 2 or x.shape[-1] != features or not 0 <= offset <= count - x.shape[-2]:
            raise ShapeError(
                f"LearnedPositions({count}, {features}) of shape {x.shape} from place {offset}: expected"
                f" [..., length, {features}] within {count} places"
            )
        return x + self.weight[offset : offset + x.shape[-2]]

    def describe(self) -> str:
        return settings(*self.weight.shape)


class SinusoidalPositions(Layer):
    """Adds sines and cosines of a sequence's places; see :func:`autograph.sinusoidal_positions`. It has no parameters.

    Args:
        base: of the wavelengths.

    >>> from autograph import SinusoidalPositions, Tensor
    >>> SinusoidalPositions()(Tensor.zeros((1, 2))).numpy().tolist()
    [[0.0, 1.0]]
    """

    def __init__(self, base: float = 10000.0) -> None:
        self.base = base

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        """``x`` plus the vectors of its places.

        Args:
            x: ``[..., length, features]``.
            offset: the place of its first vector.

        Raises:
            ShapeError: ``x`` has fewer than two axes. DtypeError: ``x`` is not a tensor of floats.

        >>> from autograph import SinusoidalPositions, Tensor
        >>> layer, x = SinusoidalPositions(), Tensor.zeros((3, 4))
        >>> (layer(x[2:], offset=2) == layer(x)[2:]).all().item()
        True
        """
        require_tensor("SinusoidalPositions", x)
        if x.ndim < 2:
            raise ShapeError(f"SinusoidalPositions of shape {x.shape}: expected [..., length, features]")
        length, features = x.shape[-2:]
        return x + sinusoidal_positions(length, features, offset=offset, base=self.base, dtype=x.dtype, device=x.device)

    def describe(self) -> str:
        return settings(base=(self.base, 10000.0))
