"""Metrics of classes: how many are right, and which are taken for which."""

from __future__ import annotations

from math import nan
from typing import Any, Literal

import numpy as np

from autograph.errors import AutographError, ShapeError
from autograph.functions.classes import Classes
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.reducers.sums import sum as sum_of
from autograph.functions.reductions.aggregates import any as any_of
from autograph.functions.sorting.greatest import topk
from autograph.tensor.tensor import Tensor

from .metric import Metric
from .predictions import axes_of_classes, places_of, predicted_and_true
from .totals import Counts

Average = Literal["binary", "micro", "macro", "weighted"] | None


@elementwise
def _is_hit(predicted: Any, true: Any) -> Any:
    return 1 if predicted == true else 0


@elementwise
def _takes_part(true: Any) -> Any:
    return 1 if true != -2 else 0


@elementwise
def _cell(predicted: Any, true: Any, count: Any) -> Any:
    return true * count + predicted if true >= 0 and predicted >= 0 else -1


@elementwise
def _outcomes(predicted: Any, true: Any, count: Any) -> Any:
    """Where it counts as told right; as told wrongly of its prediction, as missed of its class."""
    is_right, takes_part = predicted == true, true >= 0 and predicted >= 0
    right = true if is_right and takes_part else -1
    wrong = count + predicted if not is_right and takes_part else -1
    missed = 2 * count + true if not is_right and takes_part else -1
    return right, wrong, missed


class Accuracy(Metric):
    """The share of predictions that are right.

    Args:
        threshold: above which a float is the class 1, where predictions are no logits of classes.
        ignore_index: the class of places that do not count.

    Raises:
        AutographError: a setting is something else.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> from autograph.metrics import Accuracy
    >>> accuracy = Accuracy()
    >>> accuracy.update(Tensor.from_numpy([[0.2, 0.8], [0.9, 0.1]]), np.array([1, 1]))
    >>> accuracy.compute()
    0.5
    """

    def __init__(self, *, threshold: float = 0.5, ignore_index: int | None = None) -> None:
        self._threshold, self._ignored = threshold, ignore_index
        self._hits, self._count = Counts(), Counts()

    def update(self, predictions: Tensor, classes: Classes) -> None:
        """Adds a batch.

        Args:
            predictions: logits or probabilities ``[batch, classes, ...]``, of which the greatest counts (of equal ones
                the first); or, of the shape of the classes, integers, or floats, which stand for 1 above the threshold.
            classes: true ones ``[batch, ...]``: integers, a tensor on the same device or an array.

        Raises:
            ShapeError: the shapes do not fit, or a class is out of range.
            DtypeError: the classes are no integers.
            DeviceError: they are a tensor on another device.

        >>> import numpy as np
        >>> from autograph import Tensor
        >>> from autograph.metrics import Accuracy
        >>> accuracy = Accuracy()
        >>> accuracy.update(Tensor.from_numpy([0.2, 0.8, 0.9]), np.array([0, 1, 0]))
        >>> round(accuracy.compute(), 4)
        0.6667
        """
        is_logits = predictions.ndim == axes_of_classes(classes) + 1
        count = predictions.shape[1] if is_logits and predictions.ndim > 1 else 1 << 30
        found, true = predicted_and_true("Accuracy", predictions, classes, count, self._threshold, self._ignored)
        self._hits.add(sum_of(_is_hit(found, true)))
        self._count.add(sum_of(_takes_part(true)))

    def compute(self) -> float:
        return _share(self._hits, self._count)


class TopKAccuracy(Metric):
    """The share of rows whose true class is among the ``k`` of the greatest logits, of equal ones the first.

    Args:
        k: at least 1.
        ignore_index: the class of places that do not count.

    Raises:
        AutographError: ``k`` is something else.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> from autograph.metrics import TopKAccuracy
    >>> accuracy = TopKAccuracy(2)
    >>> accuracy.update(Tensor.from_numpy([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), np.array([1, 2]))
    >>> accuracy.compute()
    0.5
    """

    def __init__(self, k: int, *, ignore_index: int | None = None) -> None:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise AutographError(f"TopKAccuracy(k={k!r}): expected a whole number of at least 1")
        self._k, self._ignored = k, ignore_index
        self._hits, self._count = Counts(), Counts()

    def update(self, logits: Tensor, classes: Classes) -> None:
        """Adds a batch.

        Args:
            logits: ``[batch, classes, ...]``.
            classes: true ones ``[batch, ...]``: integers, a tensor on the same device or an array.

        Raises:
            ShapeError: the shapes do not fit, there are less than ``k`` classes, or a class is out of range.
            DtypeError: the classes are no integers.
            DeviceError: they are a tensor on another device.

        >>> import numpy as np
        >>> from autograph import Tensor
        >>> from autograph.metrics import TopKAccuracy
        >>> accuracy = TopKAccuracy(1)
        >>> accuracy.update(Tensor.from_numpy([[0.5, 0.3, 0.2]]), np.array([0]))
        >>> accuracy.compute()
        1.0
        """
        x = logits.detach()
        true = places_of("TopKAccuracy", x, classes, self._ignored)
        if x.shape[1] < self._k:
            raise ShapeError(f"TopKAccuracy of {self._k} takes at least as many classes, not {x.shape[1]}")
        self._count.add(sum_of(_takes_part(true)))
        if true.size:
            among = topk(x, self._k, 1).indices == true.expand_dims(1)
            self._hits.add(sum_of(any_of(among, 1).cast("i32")))

    def compute(self) -> float:
        return _share(self._hits, self._count)


class ConfusionMatrix(Metric):
    """How often a class (the row) is taken for a class (the column): an array of i64, ``[classes, classes]``.

    Args:
        classes: how many there are.
        threshold: above which a float is the class 1, where predictions are no logits of classes.
        ignore_index: the class of places that do not count.

    Raises:
        AutographError: a setting is something else.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> from autograph.metrics import ConfusionMatrix
    >>> matrix = ConfusionMatrix(2)
    >>> matrix.update(Tensor.from_numpy(np.array([0, 1, 1])), np.array([0, 1, 0]))
    >>> matrix.compute().tolist()
    [[1, 1], [0, 1]]
    """

    def __init__(self, classes: int, *, threshold: float = 0.5, ignore_index: int | None = None) -> None:
        self._classes = _class_count("ConfusionMatrix", classes)
        self._threshold, self._ignored = threshold, ignore_index
        self._counts = Counts((classes * classes,))

    def update(self, predictions: Tensor, classes: Classes) -> None:
        """Adds a batch, as :meth:`Accuracy.update` takes it; what is out of range on a device is left out.

        Raises:
            ShapeError: the shapes do not fit, or a class is out of range.
            DtypeError: the classes are no integers.
            DeviceError: they are a tensor on another device.

        >>> import numpy as np
        >>> from autograph import Tensor
        >>> from autograph.metrics import ConfusionMatrix
        >>> matrix = ConfusionMatrix(2)
        >>> matrix.update(Tensor.from_numpy([[0.2, 0.8]]), np.array([0]))
        >>> matrix.compute().tolist()
        [[0, 1], [0, 0]]
        """
        found, true = predicted_and_true(
            "ConfusionMatrix", predictions, classes, self._classes, self._threshold, self._ignored
        )
        self._counts.count(_cell(found, true, self._classes))

    def compute(self) -> np.ndarray[Any, Any]:
        return self._counts.value().reshape(self._classes, self._classes)


class _PerClass(Metric):
    """What is made of how often each class is told right, told wrongly, and missed."""

    def __init__(
        self, classes: int, average: Average = "macro", *, threshold: float = 0.5, ignore_index: int | None = None
    ) -> None:
        name = type(self).__name__
        self._classes = _class_count(name, classes)
        if average not in ("binary", "micro", "macro", "weighted", None):
            raise AutographError(
                f"{name}(average={average!r}): expected 'binary', 'micro', 'macro', 'weighted' or None"
            )
        if average == "binary" and classes != 2:
            raise AutographError(f"{name}(average='binary') is of 2 classes, not {classes}")
        self._average, self._threshold, self._ignored = average, threshold, ignore_index
        self._counts = Counts((3 * classes,))

    def update(self, predictions: Tensor, classes: Classes) -> None:
        """Adds a batch, as :meth:`Accuracy.update` takes it; what is out of range on a device is left out.

        Raises:
            ShapeError: the shapes do not fit, or a class is out of range.
            DtypeError: the classes are no integers.
            DeviceError: they are a tensor on another device.

        >>> import numpy as np
        >>> from autograph import Tensor
        >>> from autograph.metrics import Recall
        >>> recall = Recall(2, "binary")
        >>> recall.update(Tensor.from_numpy([0.2, 0.8, 0.9]), np.array([1, 1, 0]))
        >>> recall.compute()
        0.5
        """
        found, true = predicted_and_true(
            type(self).__name__, predictions, classes, self._classes, self._threshold, self._ignored
        )
        for places in _outcomes(found, true, self._classes):
            self._counts.count(places)

    def compute(self) -> Any:
        right, wrong, missed = self._counts.value().reshape(3, self._classes)
        if self._average == "micro":
            right, wrong, missed = (part.sum(keepdims=True) for part in (right, wrong, missed))
        figures = self._figures(right, wrong, missed)
        if self._average is None:
            return figures
        if self._average in ("micro", "binary"):
            return float(figures[-1])
        weights = right + missed if self._average == "weighted" else (right + wrong + missed > 0).astype(np.int64)
        return float(figures @ weights / weights.sum()) if weights.sum() else 0.0

    def _figures(self, right: Any, wrong: Any, missed: Any) -> np.ndarray[Any, Any]:
        raise NotImplementedError


class Precision(_PerClass):
    """The share of what is predicted to be of a class that is; 0 where there is none.

    Args:
        classes: how many there are.
        average: ``"macro"`` is the mean over classes that occur or are predicted, ``"weighted"`` that weighted by how
            often they occur, ``"micro"`` of all predictions together, ``"binary"`` that of class 1 alone; None is an
            array with a number for each class.
        threshold: above which a float is the class 1, where predictions are no logits of classes.
        ignore_index: the class of places that do not count.

    Raises:
        AutographError: a setting is something else.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> from autograph.metrics import Precision
    >>> precision = Precision(2, "binary")
    >>> precision.update(Tensor.from_numpy([0.2, 0.8, 0.9]), np.array([1, 1, 0]))
    >>> precision.compute()
    0.5
    """

    def _figures(self, right: Any, wrong: Any, missed: Any) -> np.ndarray[Any, Any]:
        return _quotients(right, right + wrong)


class Recall(_PerClass):
    """The share of what is of a class that is told to be; 0 where there is none.

    Args:
        classes: as in :class:`Precision`.
        average: as in :class:`Precision`.
        threshold: as in :class:`Precision`.
        ignore_index: as in :class:`Precision`.

    Raises:
        AutographError: a setting is something else.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> from autograph.metrics import Recall
    >>> recall = Recall(3, None)
    >>> recall.update(Tensor.from_numpy(np.array([0, 1, 1])), np.array([0, 0, 1]))
    >>> recall.compute().tolist()
    [0.5, 1.0, 0.0]
    """

    def _figures(self, right: Any, wrong: Any, missed: Any) -> np.ndarray[Any, Any]:
        return _quotients(right, right + missed)


class F1(_PerClass):
    """The harmonic mean of :class:`Precision` and :class:`Recall`.

    Args:
        classes: as in :class:`Precision`.
        average: as in :class:`Precision`.
        threshold: as in :class:`Precision`.
        ignore_index: as in :class:`Precision`.

    Raises:
        AutographError: a setting is something else.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> from autograph.metrics import F1
    >>> f1 = F1(2, "binary")
    >>> f1.update(Tensor.from_numpy([0.2, 0.8, 0.9]), np.array([1, 1, 0]))
    >>> f1.compute()
    0.5
    """

    def _figures(self, right: Any, wrong: Any, missed: Any) -> np.ndarray[Any, Any]:
        return _quotients(2 * right, 2 * right + wrong + missed)


def _class_count(name: str, classes: Any) -> int:
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
        raise AutographError(f"{name}(classes={classes!r}): expected a whole number of at least 1")
    return classes


def _share(hits: Counts, count: Counts) -> float:
    whole = int(count.value())
    return int(hits.value()) / whole if whole else nan


def _quotients(part: Any, whole: Any) -> np.ndarray[Any, Any]:
    result: np.ndarray[Any, Any] = np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
    return result
