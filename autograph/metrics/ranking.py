"""Metrics of the order in which scores put what is true and what is not."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import Any

import numpy as np

from autograph.errors import AutographError, ShapeError
from autograph.functions.losses.reduced import wide
from autograph.functions.shapes.joining import concat
from autograph.functions.shapes.padding import pad
from autograph.functions.sorting.searching import searchsorted
from autograph.functions.sorting.sorts import sort
from autograph.tensor.observing import observing
from autograph.tensor.tensor import Tensor

from .metric import Metric
from .predictions import predicted_and_true


def auroc(scores: Tensor, targets: Any) -> float:
    """The area below the receiver operating characteristic: how likely what is true has a greater score than what is
    not, equal ones counted half. Exact: both are sorted, on the device.

    Args:
        scores: ``[n]``, of floats: logits as well as probabilities.
        targets: ``[n]`` truths: integers 0 and 1, or bool; a tensor on the same device or an array.

    Returns:
        The area; NaN where all are true, or none. A score of NaN counts as greater than all.

    Raises:
        ShapeError: the shapes differ, or a target is neither 0 nor 1.
        DtypeError: the scores are not floats, or the targets no integers.
        DeviceError: the targets are a tensor on another device.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> from autograph.metrics import auroc
    >>> auroc(Tensor.from_numpy([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    0.75
    """
    x = wide("auroc", scores.detach())
    if x.ndim != 1:
        raise ShapeError(f"auroc takes scores [n], not {x.shape}")
    _, truths = predicted_and_true("auroc", x, targets, 2, 0.0, None)
    return _area(x, truths)


def _area(scores: Tensor, truths: Tensor) -> float:
    above, below = scores[truths == 1], sort(scores[truths == 0])
    if not above.size or not below.size:
        return nan
    # How many are below each, and how many not above it: of equal ones, half counts.
    twice = searchsorted(below, above, side="left") + searchsorted(below, above, side="right")
    # Partial sums that 32 bits hold, and then whole numbers of any size.
    length = max(1, ((1 << 31) - 1) // (2 * below.size))
    rows = -(-twice.size // length)
    padded = pad(twice, [(0, rows * length - twice.size)]) if rows > 1 else twice
    partial = padded.reshape((rows, -1)).sum(1).numpy()
    return sum(map(int, partial)) / (2 * above.size * below.size)


class AUROC(Metric):
    """The area below the receiver operating characteristic of all batches; of several classes, each against all others.

    All scores are kept, on the device: its attributes are for the package's own use.

    Args:
        classes: None for truths, whose scores are one number each; or how many classes there are.
        average: of classes: ``"macro"`` is their mean, ``"weighted"`` that weighted by how often they occur; None is an
            array with a number for each.

    Raises:
        AutographError: a setting is something else.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> from autograph.metrics import AUROC
    >>> area = AUROC()
    >>> area.update(Tensor.from_numpy([0.1, 0.4]), np.array([0, 0]))
    >>> area.update(Tensor.from_numpy([0.35, 0.8]), np.array([1, 1]))
    >>> area.compute()
    0.75
    """

    def __init__(self, classes: int | None = None, average: str | None = "macro") -> None:
        if classes is not None and (isinstance(classes, bool) or not isinstance(classes, int) or classes < 2):
            raise AutographError(f"AUROC(classes={classes!r}): expected None, or a whole number of at least 2")
        if average not in ("macro", "weighted", None):
            raise AutographError(f"AUROC(average={average!r}): expected 'macro', 'weighted' or None")
        self.classes, self._average = classes, average
        self.batches: list[tuple[Tensor, Tensor]] = []
        self._is_restored = False  # on the host, until a batch comes

    def update(self, scores: Tensor, targets: Any) -> None:
        """Adds a batch.

        Args:
            scores: ``[n]`` floats; of several classes ``[n, classes]``.
            targets: ``[n]``: truths, or classes: integers, a tensor on the same device or an array.

        Raises:
            ShapeError: the shapes do not fit, or a target is out of range.
            DtypeError: the scores are not floats, or the targets no integers.
            DeviceError: the targets are a tensor on another device.
            CaptureError: this is within a captured function.

        >>> import numpy as np
        >>> from autograph import Tensor
        >>> from autograph.metrics import AUROC
        >>> area = AUROC(3, None)
        >>> area.update(Tensor.from_numpy(np.eye(3)), np.arange(3))
        >>> area.compute().tolist()
        [1.0, 1.0, 1.0]
        """
        if (observer := observing.observer) is not None:
            observer.refuses("adds scores to AUROC, which keeps them: return them, and update it outside")
        x = wide("AUROC", scores.detach())
        axes = 1 if self.classes is None else 2
        if x.ndim != axes or (self.classes is not None and x.shape[1] != self.classes):
            expected = "[n]" if self.classes is None else f"[n, {self.classes}]"
            raise ShapeError(f"AUROC takes scores {expected}, not {x.shape}")
        _, truths = predicted_and_true("AUROC", x, targets, self.classes or 2, 0.0, None)
        if self._is_restored:
            self.batches = [(scores.to_device(x.device), true.to_device(x.device)) for scores, true in self.batches]
            self._is_restored = False
        self.batches.append((x, truths))

    def compute(self) -> Any:
        if not self.batches:
            return nan if self.classes is None or self._average else np.full(self.classes, nan)
        scores, truths = (concat([batch[i] for batch in self.batches]) for i in range(2))
        if self.classes is None:
            return _area(scores, truths)
        areas = np.array([_area(scores[:, c], (truths == c).cast("i32")) for c in range(self.classes)])
        if self._average is None:
            return areas
        if self._average == "macro":
            return float(areas.mean())
        weights = np.bincount(truths.numpy(), minlength=self.classes)
        return float(areas @ weights / weights.sum())

    def reset(self) -> None:
        self.batches.clear()
        self._is_restored = False

    def state(self) -> dict[str, Any]:
        return {"batches": [[x.numpy(), t.numpy()] for x, t in self.batches]}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self.batches = [(Tensor.from_numpy(x), Tensor.from_numpy(t)) for x, t in state["batches"]]
        self._is_restored = True

    def merge(self, other: Metric) -> None:
        super().merge(other)
        if isinstance(other, AUROC):
            if other.classes != self.classes:
                raise ShapeError(f"AUROC.merge: of {other.classes} classes, not {self.classes}")
            device = self.batches[0][0].device if self.batches else None
            self.batches += [
                (x, t) if device is None else (x.to_device(device), t.to_device(device)) for x, t in other.batches
            ]
