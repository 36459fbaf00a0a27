"""Connectionist temporal classification: the loss of labels of which it is not known where in a sequence they are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.autograd import differentiable
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.checks import require_ndim
from autograph.functions.elementwise.operation import elementwise
from autograph.tensor.base import Shape, TensorBase
from krnlpy import Buffer, ScalarType, host_call

from . import alignments
from .reduced import Reduction, reduced, require_reduction, wide

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

INFINITY = float("inf")


@elementwise
def _finite(loss: Any) -> Any:
    return 0.0 if loss == INFINITY else loss


@elementwise
def _per_label(loss: Any, length: Any) -> Any:
    return loss / max(length, 1)


def ctc_loss(
    x: Tensor,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    reduction: Reduction = "mean",
    *,
    blank: int = 0,
    zero_infinity: bool = False,
) -> Tensor:
    """The negative logarithm of the probability that a sequence reads as its labels, if each label lasts for some
    frames, and blanks may stand between labels.

    After A. Graves et al., "Connectionist temporal classification" (2006), in logarithms; forward and backward on the
    device.

    Args:
        x: logarithms of probabilities ``[frames, batch, classes]``, such as :func:`log_softmax` gives.
        targets: labels ``[batch, labels]``, of which only the first ones of a row count, or those of all sequences one
            after the other: integers, a tensor on the device of ``x`` or an array. One that is out of range makes the
            loss NaN; on the host it raises.
        input_lengths: ``[batch]``, frames of each sequence: a list, an array, or a tensor on the device of ``x``. Of
            tensors that lie on a device no check is made: lengths that are too great count as the greatest there is.
        target_lengths: ``[batch]``, labels of each sequence, alike. Where the labels stand one after the other, the
            host waits for a tensor of lengths.
        reduction: ``"mean"``: of the losses, each divided by its number of labels (at least 1); ``"sum"``, or
            ``"none"``: a loss for each sequence.
        blank: the class of blanks.
        zero_infinity: whether sequences that are too short for their labels, whose loss is infinite and has no gradient
            (it is NaN), count as 0.

    Returns:
        The loss on the device: f64 of f64, else f32. Its gradient is that by ``x`` itself. PyTorch's differs by
        ``exp(x)``, which makes no difference after :func:`log_softmax`.

    Raises:
        ShapeError: ``x`` has not three axes, lengths or labels do not fit it, or there is a mean of no sequences.
        DtypeError: ``x`` is not of floats, or labels or lengths are not integers.
        DeviceError: labels or lengths are a tensor on another device.
        AutographError: ``reduction`` is something else, or ``blank`` is not a class.

    >>> import numpy as np
    >>> from autograph import Tensor, ctc_loss, log_softmax
    >>> x = log_softmax(Tensor.zeros((3, 1, 2)))  # two classes, one of them the blank, for three frames
    >>> loss = ctc_loss(x, np.array([[1]]), [3], [1])  # 6 of 8 paths have one run of ones
    >>> round(float(np.exp(-loss.item())), 6)
    0.75
    """
    require_reduction(reduction)
    require_ndim("ctc_loss", "logarithms of probabilities", x, "[frames, batch, classes]")
    logarithms = wide("ctc_loss", x)
    frames, batch, classes = x.shape
    if isinstance(blank, bool) or not isinstance(blank, int) or not 0 <= blank < classes:
        raise AutographError(f"ctc_loss(blank={blank!r}): expected one of {classes} classes, 0 to {classes - 1}")
    if not batch:
        return reduced("ctc_loss", logarithms.reshape((-1,)) if not x.size else logarithms[0, :, 0], reduction)
    labels = _integers("targets", targets, x, None, partial(_check_labels, classes, blank))
    if labels.ndim not in (1, 2) or (labels.ndim == 2 and labels.shape[0] != batch):
        raise ShapeError(
            f"ctc_loss of {batch} sequences takes targets [batch, labels] or [all labels], not {labels.shape}"
        )
    known = None  # the lengths where they must be known
    if labels.ndim == 1:
        known = np.asarray(target_lengths.numpy() if isinstance(target_lengths, TensorBase) else target_lengths)
        most = int(known.max()) if known.size else 0
    else:
        most = labels.shape[1]
    lengths = [
        _integers("input_lengths", input_lengths, x, (batch,), partial(_check_lengths, "input_lengths", frames)),
        _integers("target_lengths", target_lengths, x, (batch,), partial(_check_lengths, "target_lengths", most)),
    ]
    of_frames, of_labels = (_cut(n.cast("i32"), top).buffer for n, top in zip(lengths, (frames, most), strict=True))
    starts = np.arange(batch) * most if known is None else np.cumsum(known) - known
    if known is not None and int(known.sum()) != labels.size:
        raise ShapeError(
            f"ctc_loss of {labels.size} labels one after the other: target_lengths add up to {known.sum()}"
        )
    begins = Buffer.from_numpy(starts.astype(np.int32), x.device)
    flat = labels.reshape((labels.size,)).buffer if labels.size else Buffer.zeros(1, "i32", x.device)
    rows = logarithms.buffer.transpose(1, 0, 2)
    loss, alphas = alignments.losses(rows, flat, begins, of_frames, of_labels, most, blank)

    def gradient(dy: Tensor) -> Tensor:
        dx = alignments.gradient(
            rows, flat, begins, of_frames, of_labels, blank, loss, alphas, dy.buffer, not zero_infinity
        )
        return dy.result(dx.transpose(1, 0, 2))

    losses = logarithms.result(loss)
    value = _finite(losses) if zero_infinity else losses
    value = differentiable(value, [(logarithms, gradient)])
    if reduction == "mean":
        value = _per_label(value, losses.result(of_labels))
    return reduced("ctc_loss", value, reduction)


@elementwise
def _cut(length: Any, most: Any) -> Any:
    return min(max(length, 0), most)


def _integers(name: str, given: Any, x: Tensor, shape: Shape | None, check: Any) -> Tensor:
    """Whole numbers as a tensor on the device of ``x``, checked if they lie on the host."""
    if isinstance(given, TensorBase):
        if given.device != x.device:
            raise DeviceError(
                f"ctc_loss: {name} on {given.device.name}, probabilities on {x.device.name}; move them with"
                " tensor.to_device(device), or pass an array"
            )
        array: Any = given
    else:
        array = np.asarray(given)
        if not array.size:
            array = array.astype(np.int32)
    dtype: Any = array.dtype
    if not (dtype.is_integer if isinstance(dtype, ScalarType) else dtype.kind in "iu"):
        raise DtypeError(f"ctc_loss takes {name} as integers, not {dtype}")
    if shape is not None and array.shape != shape:
        raise ShapeError(f"ctc_loss takes {name} of shape {shape}, one for each sequence, not {array.shape}")
    if isinstance(array, TensorBase):
        if array.device.is_host:
            host_call(check, array.buffer, outputs=0)
        return array.detach()
    check(array)
    return x.result(Buffer.from_numpy(array.astype(np.int32), x.device))


def _check_labels(classes: int, blank: int, labels: np.ndarray[Any, Any]) -> None:
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = int(labels.min() if labels.min() < 0 else labels.max())
        raise ShapeError(
            f"ctc_loss: label {wrong} is out of range: expected one of {classes} classes, 0 to {classes - 1}"
        )


def _check_lengths(name: str, most: int, lengths: np.ndarray[Any, Any]) -> None:
    if lengths.size and (lengths.min() < 0 or lengths.max() > most):
        wrong = int(lengths.min() if lengths.min() < 0 else lengths.max())
        raise ShapeError(f"ctc_loss({name}=): {wrong} is out of range: expected 0 to {most}")
