"""Batch normalisation."""

from __future__ import annotations

from typing import ClassVar

from autograph.errors import ShapeError
from autograph.functions.normalization import batch_norm_inference, batch_norm_training
from autograph.nn.settings import settings
from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, f32

from .running import RunningStatistics, follow, require_statistics_on


class _BatchNorm(RunningStatistics):
    """What batch normalisations have in common; they differ in the ranks that they take."""

    _axes: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        channels: int,
        *,
        epsilon: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_statistics: bool = True,
        device: Device | None = None,
        dtype: DTypeLike = f32,
    ) -> None:
        super().__init__(channels, epsilon, momentum, affine, track_statistics, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Each channel less its mean, divided by its deviation, times the weight, plus the bias.

        Raises:
            ShapeError: ``x`` has other channels or another rank, or in training one element a channel only.
            DtypeError: ``x`` has another dtype than the weights, or is not a tensor of floats.
            DeviceError: ``x`` lies on another device than the layer.

        >>> from autograph import BatchNorm1, Tensor
        >>> layer, x = BatchNorm1(2, dtype="f64"), Tensor.from_numpy([[1.0, 2.0], [3.0, 6.0]])
        >>> layer(x).numpy().round(3).tolist(), layer.running_mean.numpy().round(3).tolist()
        ([[-1.0, -1.0], [1.0, 1.0]], [0.2, 0.4])
        >>> layer.eval()(x).numpy().round(3).tolist()
        [[0.763, 1.227], [2.67, 4.295]]
        """
        require_tensor(type(self).__name__, x)
        if x.ndim not in [axes.count(",") + 1 for axes in self._axes] or x.shape[1] != self.channels:
            expected = " or ".join(axes.replace("c", str(self.channels)) for axes in self._axes)
            raise ShapeError(f"{type(self).__name__} takes x of shape {expected}, not {x.shape}")
        require_statistics_on(self, x)
        mean, var = self.running_mean, self.running_var
        if mean is not None and var is not None and not self.training:
            return batch_norm_inference(x, mean, var, self.weight, self.bias, epsilon=self.epsilon)
        count = x.size // self.channels
        if count < 2:
            raise ShapeError(
                f"{type(self).__name__} of shape {x.shape}: one element a channel has no variance; give a larger batch,"
                " or call eval() where the model is not trained"
            )
        y, of_mean, of_var = batch_norm_training(x, self.weight, self.bias, epsilon=self.epsilon)
        if self.training:
            follow(self, of_mean, of_var, count)
        return y

    def describe(self) -> str:
        return settings(
            self.channels,
            epsilon=(self.epsilon, 1e-5),
            momentum=(self.momentum, 0.1),
            affine=(self.weight is not None, True),
            track_statistics=(self.running_mean is not None, True),
        )


class BatchNorm1(_BatchNorm):
    """Normalizes each channel of ``[n, c]`` or ``[n, c, w]`` over the batch, or in evaluation by running statistics.

    In training each batch moves these by ``momentum`` towards its own mean and (unbiased) variance; evaluation is what
    ``model.eval()`` switches to. A captured step moves them at each replay. Source: S. Ioffe, C. Szegedy, "Batch
    Normalization", 2015.

    Args:
        channels: of the input.
        epsilon: added to the variance.
        momentum: the share of the new batch in the running statistics; None is the mean over all batches.
        affine: whether a learned weight and bias follow.
        track_statistics: False normalizes over the batch in evaluation, too.
        device: where parameters and statistics are; None is the host.
        dtype: a float type.

    Attributes:
        weight, bias: ``[channels]``, or None.
        running_mean, running_var: buffers of ``[channels]``, or None.

    Raises:
        AutographError: ``channels`` is below 1, or ``momentum`` not from 0 to 1.
        DtypeError: ``dtype`` is no float type.

    >>> from autograph import BatchNorm1, Tensor
    >>> layer = BatchNorm1(3)
    >>> layer(Tensor.ones((2, 3, 5))).shape, [name for name, _ in layer.named_buffers()]
    ((2, 3, 5), ['running_mean', 'running_var'])
    """

    _axes = ("[n, c]", "[n, c, w]")


class BatchNorm2(_BatchNorm):
    """Normalizes each channel of images ``[n, c, h, w]``; see :class:`BatchNorm1`, whose arguments it takes.

    >>> from autograph import BatchNorm2, Tensor
    >>> BatchNorm2(3)(Tensor.ones((2, 3, 5, 5))).shape
    (2, 3, 5, 5)
    """

    _axes = ("[n, c, h, w]",)


class BatchNorm3(_BatchNorm):
    """Normalizes each channel of volumes ``[n, c, d, h, w]``; see :class:`BatchNorm1`, whose arguments it takes.

    >>> from autograph import BatchNorm3
    >>> BatchNorm3(8, momentum=None)
    BatchNorm3(8, momentum=None)  16 parameters
    """

    _axes = ("[n, c, d, h, w]",)
