"""Dropout, whose mask is a function of a draw's key: it is computed again where it is needed again, and never kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable
from autograph.errors import AutographError, DtypeError
from autograph.functions.launch import reshape_or_copy
from autograph.functions.type_variables import T, W, number_for
from autograph.tensor.base import require_tensor
from krnlpy import Buffer, Global, GlobalMut, Spec, func, i32, kernel, u32
from krnlpy.dsl import global_id, global_threads, philox

from .draws import RUN, fill, require_finite
from .generator import Generator

if TYPE_CHECKING:
    from autograph.tensor.tensor import Tensor

_WIDTH = 4 * RUN
"""Elements of a group."""


@func
def _kept(x: Any, word: Any, threshold: Any, scale: Any) -> Any:
    return x * scale if word >= threshold else 0.0 * scale


@kernel(unchecked=True)
def _dropout(
    x: Global[T],
    y: GlobalMut[T],
    seed: u32,
    stream: u32,
    first: u32,
    threshold: u32,
    scale: W,
    BLOCKS: Spec[i32] = 1,
) -> None:
    """A thread has as many blocks of a group, in which elements lie as in those of :mod:`.draws`."""
    pieces = RUN // BLOCKS
    groups = (len(y) + _WIDTH - 1) // _WIDTH
    for item in range(global_id(), groups * pieces, global_threads()):
        group = item // pieces
        begin = item % pieces * BLOCKS
        start = group * _WIDTH
        if start + _WIDTH <= len(y):
            for k in range(begin, begin + BLOCKS):
                words = philox(seed, first + u32(group * RUN + k), stream)
                for j, word in enumerate((words.x, words.y, words.z, words.w)):
                    i = start + j * RUN + k
                    y[i] = _kept(x[i], word, threshold, scale)
        else:
            for k in range(begin, begin + BLOCKS):
                words = philox(seed, first + u32(group * RUN + k), stream)
                for j, word in enumerate((words.x, words.y, words.z, words.w)):
                    i = start + j * RUN + k
                    if i < len(y):
                        y[i] = _kept(x[i], word, threshold, scale)


def dropout(x: Tensor, p: float, generator: Generator) -> Tensor:
    """Each element replaced by 0 with probability ``p``, the others divided by ``1 - p``.

    Which ones is the same on every device. No mask is stored: the gradient draws the same numbers again. The method is
    that of N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.

    Args:
        x: any shape, of floats.
        p: from 0 to 1; to within ``2**-33``.
        generator: of which this is a draw.

    Raises:
        DtypeError: ``x`` is not a tensor of floats.
        AutographError: ``p`` is not from 0 to 1, or ``generator`` is none.

    >>> from autograph import Tensor, dropout, random
    >>> dropout(Tensor.ones(8), 0.5, random.Generator(0)).numpy().tolist()
    [2.0, 2.0, 2.0, 2.0, 2.0, 0.0, 2.0, 0.0]
    """
    require_tensor("dropout", x)
    if not x.dtype.is_float:
        raise DtypeError(f"dropout of {x.dtype}: convert to a float type first, for example tensor.cast(f32)")
    require_finite("dropout", p=p)
    if not 0 <= p <= 1:
        raise AutographError(f"dropout(p={p!r}): expected a probability from 0 to 1")
    if not isinstance(generator, Generator):
        raise AutographError(
            f"dropout takes a Generator last, not {type(generator).__name__}; random.Generator(seed) makes one"
        )
    return _masked(x, round(p * 2**32), generator.key())


def _masked(x: Tensor, threshold: int, key: tuple[int, int]) -> Tensor:
    """Elements whose words are at least a threshold, scaled by how many these are."""
    y = Buffer.zeros(x.shape, x.dtype, x.device) if threshold == 1 << 32 else Buffer.empty(x.shape, x.dtype, x.device)
    if x.size and threshold < 1 << 32:
        scale = number_for(x.dtype, 1 / (1 - threshold * 2**-32))
        _launch(reshape_or_copy(x.buffer, (x.size,)), y.reshape(-1), 0, (*key, threshold, scale))
    return differentiable(x.result(y), [(x, lambda dy: _masked(dy, threshold, key))], higher_order=True)


def _launch(x: Buffer, y: Buffer, group: int, numbers: tuple[int, int, int, Any]) -> None:
    """Fills ``y``, which begins with a group; in halves where kernels do not reach all."""
    groups = -(-y.size // _WIDTH)
    if groups > 1 and not (x.can_be_indexed and y.can_be_indexed):
        half = groups // 2
        for part, first in ((slice(half * _WIDTH), 0), (slice(half * _WIDTH, None), half)):
            _launch(x[part], y[part], group + first, numbers)
        return
    seed, stream, threshold, scale = numbers
    fill(_dropout, groups, y.device)(x, y, seed, stream, group * RUN, threshold, scale)
