"""Metrics beside scikit-learn's, in batches; counts beyond what floats hold; what does not fit."""

from __future__ import annotations

from math import exp, isnan
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor, capture, metrics
from autograph.errors import AutographError, CaptureError, DeviceError, DtypeError, ShapeError
from autograph.metrics.totals import Counts, Sums
from krnlpy import Device, f32, f64, i32
from tests.support.devices import requires
from tests.support.tiers import one_vulkan_device
from tests.support.typed import untyped

pytestmark = pytest.mark.one_vulkan_device

sklearn: Any = pytest.importorskip("sklearn.metrics")

RANDOM = np.random.default_rng(3)
CLASSES = 4
LOGITS = RANDOM.integers(0, 6, (30, CLASSES)).astype(np.float32)  # with ties, of which the first counts
TRUE = RANDOM.integers(0, CLASSES - 1, 30)  # the last class does not occur
PREDICTED = LOGITS.argmax(1).astype(np.int32)
BATCHES = (slice(0, 11), slice(11, 12), slice(12, 30))


def fed(metric: Any, predictions: Any, true: Any, device: Device) -> Any:
    """What a metric gives of some batches."""
    for batch in BATCHES:
        metric.update(Tensor.from_numpy(predictions[batch], device), true[batch])
    return metric.compute()


@one_vulkan_device
def test_classes_beside_scikit_learn(device: Device) -> None:
    matrix = fed(metrics.ConfusionMatrix(CLASSES), LOGITS, TRUE, device)
    np.testing.assert_array_equal(matrix, sklearn.confusion_matrix(TRUE, PREDICTED, labels=range(CLASSES)))
    assert fed(metrics.Accuracy(), LOGITS, TRUE, device) == sklearn.accuracy_score(TRUE, PREDICTED)
    for ours, theirs in (
        (metrics.Precision, sklearn.precision_score),
        (metrics.Recall, sklearn.recall_score),
        (metrics.F1, sklearn.f1_score),
    ):
        for average in ("micro", "macro", "weighted", None):
            labels = range(CLASSES) if average is None else None
            expected = theirs(TRUE, PREDICTED, average=average, labels=labels, zero_division=0)
            np.testing.assert_allclose(fed(ours(CLASSES, average), PREDICTED, TRUE, device), expected, rtol=1e-12)
        scores, truths = LOGITS[:, 0] / 6, TRUE > 0
        expected = theirs(truths, scores > 0.5, zero_division=0)
        assert fed(ours(2, "binary"), scores, truths, device) == pytest.approx(expected, rel=1e-12)


@one_vulkan_device
def test_top_k_and_ignored_classes(device: Device) -> None:
    """Beside NumPy: scikit-learn takes the last of equal scores."""
    order = np.argsort(-LOGITS, 1, kind="stable")
    for k in (1, 2, CLASSES):
        expected = (order[:, :k] == TRUE[:, None]).any(1).mean()
        assert fed(metrics.TopKAccuracy(k), LOGITS, TRUE, device) == pytest.approx(expected, rel=1e-12)
    kept = TRUE != 1
    labels = np.where(kept, TRUE, 255)
    np.testing.assert_array_equal(
        fed(metrics.ConfusionMatrix(CLASSES, ignore_index=255), LOGITS, labels, device),
        sklearn.confusion_matrix(TRUE[kept], PREDICTED[kept], labels=range(CLASSES)),
    )
    right = (PREDICTED == TRUE)[kept].mean()
    assert fed(metrics.Accuracy(ignore_index=255), LOGITS, labels, device) == pytest.approx(right, rel=1e-12)
    assert fed(metrics.Accuracy(ignore_index=255), PREDICTED, labels, device) == pytest.approx(right, rel=1e-12)
    # Of images: a class for each place.
    images = np.moveaxis(LOGITS.reshape(5, 3, 2, CLASSES), -1, 1).copy()
    metric = metrics.Accuracy()
    metric.update(Tensor.from_numpy(images, device), Tensor.from_numpy(TRUE.astype(np.int32).reshape(5, 3, 2), device))
    assert metric.compute() == sklearn.accuracy_score(TRUE, PREDICTED)


@one_vulkan_device
def test_areas_with_ties(device: Device) -> None:
    scores, truths = np.round(RANDOM.normal(size=30), 1).astype(np.float32), RANDOM.random(30) < 0.4
    expected = sklearn.roc_auc_score(truths, scores)
    assert fed(metrics.AUROC(), scores, truths, device) == pytest.approx(expected, rel=1e-12)
    assert metrics.auroc(Tensor.from_numpy(scores, device), truths) == pytest.approx(expected, rel=1e-12)
    shares = RANDOM.dirichlet(np.ones(3), 30).astype(np.float32)
    for average in ("macro", "weighted", None):
        found = fed(metrics.AUROC(3, average), shares, TRUE, device)
        exact = [sklearn.roc_auc_score(c == TRUE, shares[:, c]) for c in range(3)]
        weights = np.bincount(TRUE) if average == "weighted" else None
        np.testing.assert_allclose(found, exact if average is None else np.average(exact, weights=weights), rtol=1e-12)
    assert isnan(metrics.auroc(Tensor.ones(3, f32, device), np.ones(3, int)))


def test_areas_of_sums_beyond_32_bits() -> None:
    """200,000 scores: twice the area's count is 2e10."""
    scores, truths = np.round(RANDOM.normal(size=200_000), 2).astype(np.float32), RANDOM.random(200_000) < 0.5
    area = metrics.auroc(Tensor.from_numpy(scores), truths)
    assert area == pytest.approx(sklearn.roc_auc_score(truths, scores), rel=1e-12)


@one_vulkan_device
def test_errors_of_numbers(device: Device) -> None:
    """Far from 0, where squares of f32 would cancel: the targets are 1000 and about 1."""
    targets = (1000 + RANDOM.normal(size=30)).astype(np.float32)
    guesses = (targets + 0.3 * RANDOM.normal(size=30)).astype(np.float32)
    wide = guesses.astype(np.float64), targets.astype(np.float64)
    for ours, theirs in (
        (metrics.MeanSquaredError(), sklearn.mean_squared_error),
        (metrics.MeanAbsoluteError(), sklearn.mean_absolute_error),
        (metrics.R2(), lambda x, y: sklearn.r2_score(y, x)),
    ):
        for batch in BATCHES:
            ours.update(Tensor.from_numpy(guesses[batch], device), Tensor.from_numpy(targets[batch], device))
        # Differences are exact; a sum of 30 squares is rounded 6 times, each to 2**-24.
        assert ours.compute() == pytest.approx(theirs(*wide), rel=1e-6)


@one_vulkan_device
def test_perplexity_and_means(device: Device) -> None:
    torch: Any = pytest.importorskip("torch")
    labels = np.where(TRUE == 1, -100, TRUE)
    found = fed(metrics.Perplexity(ignore_index=-100), LOGITS, labels, device)
    loss = torch.nn.functional.cross_entropy(torch.tensor(LOGITS.astype(np.float64)), torch.tensor(labels))
    assert found == pytest.approx(exp(loss.item()), rel=1e-5)
    loss = torch.nn.functional.cross_entropy(torch.tensor(LOGITS.astype(np.float64)), torch.tensor(TRUE))
    assert fed(metrics.Perplexity(), LOGITS, TRUE, device) == pytest.approx(exp(loss.item()), rel=1e-5)
    mean = metrics.Mean()
    mean.update(Tensor.from_numpy(np.array([[1.0, 2.0], [3.0, 6.0]], np.float32), device))
    mean.update(Tensor.full((), 9.0, f32, device), weight=4)
    mean.update(0.0, weight=2)
    assert mean.compute() == (12 + 36 + 0) / 10
    mean.reset()
    assert isnan(mean.compute())


@one_vulkan_device
def test_counts_and_sums_lose_nothing(device: Device) -> None:
    counts = Counts((3,))
    assert counts.value().tolist() == [0, 0, 0]
    places = Tensor.from_numpy(np.array([0, 2, 2, -1, -2], np.int32), device)
    counts.add_number((1 << 32) - 2, device)
    for _ in range(3):
        counts.count(places)
    counts.add(Tensor.from_numpy(np.array([5, 0, 0], np.int32), device))
    counts.merge(counts)
    assert counts.value().tolist() == [2 * ((1 << 32) + n) for n in (6, -2, 4)]
    sums = Sums()
    sums.add_number(2.0**30, device)
    for _ in range(100):
        sums.add(Tensor.full((), 0.25, f32, device))
    assert sums.value() == 2.0**30 + 25  # 0.25 is a 512th of half an ulp of the sum
    sums.add(Tensor.full((), float("inf"), f32, device))
    assert sums.value() == np.inf


@pytest.mark.parametrize(
    "metric",
    [
        metrics.Mean,
        metrics.MeanSquaredError,
        metrics.R2,
        metrics.Perplexity,
        metrics.Accuracy,
        lambda: metrics.TopKAccuracy(2),
        lambda: metrics.ConfusionMatrix(CLASSES),
        lambda: metrics.F1(CLASSES),
        lambda: metrics.AUROC(CLASSES, None),
    ],
)
def test_parts_are_merged(metric: Any) -> None:
    """Also of two devices."""
    interpreter = Device.interpreter()

    def update(to: Any, batch: slice, device: Device) -> None:
        x = Tensor.from_numpy(LOGITS[batch], device)
        if isinstance(to, metrics.Mean):
            to.update(x)
        elif isinstance(to, metrics.R2 | metrics.MeanSquaredError):
            to.update(x, x * x)
        else:
            to.update(x, TRUE[batch])

    whole, first, second, third = (metric() for _ in range(4))
    for batch in BATCHES:
        update(whole, batch, Device.host())
    update(second, BATCHES[0], Device.host())
    update(third, BATCHES[1], interpreter)
    update(third, BATCHES[2], interpreter)
    for other in (second, third, metric()):
        first.merge(other)
    np.testing.assert_allclose(first.compute(), whole.compute(), rtol=1e-6)
    with pytest.raises(DtypeError, match="one of its kind"):
        first.merge(untyped(Counts()))


@one_vulkan_device
def test_nothing_is_recorded_and_nothing_waits(device: Device) -> None:
    """Of tensors that are recorded, and of f64; before any batch there is no figure."""
    logits = Parameter(Tensor.from_numpy(LOGITS, device))
    logits.init_grad()
    accuracy, loss = metrics.Accuracy(), metrics.Mean()
    assert isnan(accuracy.compute()) and isnan(loss.compute())
    accuracy.update(logits * 2, TRUE)
    loss.update((logits * 2).mean())
    assert accuracy.compute() == sklearn.accuracy_score(TRUE, PREDICTED)
    nothing = Tensor.zeros((0, CLASSES), f32, device)
    accuracy.update(nothing, np.zeros(0, int))
    assert accuracy.compute() == sklearn.accuracy_score(TRUE, PREDICTED)


@one_vulkan_device
def test_in_captured_steps(device: Device) -> None:
    """They go on with what a recording changes, also after a figure was read, and after a reset."""
    whole = metrics.ConfusionMatrix(CLASSES), metrics.Mean(), metrics.MeanSquaredError()
    eager = metrics.ConfusionMatrix(CLASSES), metrics.Mean(), metrics.MeanSquaredError()

    def update(to: Any, x: Tensor, classes: Tensor) -> None:
        matrix, mean, error = to
        matrix.update(x, classes)
        mean.update(x.cross_entropy_loss(classes))
        error.update(x, x * x)

    @capture
    def step(x: Tensor, classes: Tensor) -> Tensor:
        update(whole, x, classes)
        return x.sum()

    for turn in range(6):
        x = Tensor.from_numpy(LOGITS[3 * turn : 3 * turn + 3], device)
        classes = Tensor.from_numpy(TRUE[3 * turn : 3 * turn + 3].astype(np.int32), device)
        step(x, classes)
        update(eager, x, classes)
        if turn % 2:
            for ours, theirs in zip(whole, eager, strict=True):
                np.testing.assert_array_equal(ours.compute(), theirs.compute())
        if turn == 3:
            for metric in (*whole, *eager):
                metric.reset()
                assert np.all(np.isnan(metric.compute()) | (np.asarray(metric.compute()) == 0))
    area = metrics.AUROC()
    kept = capture(lambda x: area.update(x, np.array([0, 1])))
    with pytest.raises(CaptureError, match="AUROC"):
        for _ in range(2):
            kept(Tensor.ones(2, f32, device))


def test_means_of_doubles(device: Device) -> None:
    requires(device, f64)
    mean = metrics.Mean()
    mean.update(Tensor.from_numpy(np.array([1.0, 1e-12]), device))
    assert mean.compute() == (1 + 1e-12) / 2


@one_vulkan_device
def test_what_does_not_fit(device: Device) -> None:
    logits = Tensor.zeros((3, 4), f32, device)
    with pytest.raises(ShapeError, match=r"logits \[batch, 3, ...\], not \(3, 4\)"):
        metrics.ConfusionMatrix(3).update(logits, np.zeros(3, int))
    with pytest.raises(ShapeError, match=r"predictions \(3,\), classes \(2,\)"):
        metrics.Accuracy().update(logits[:, 0], np.zeros(2, int))
    with pytest.raises(ShapeError, match="class 4 of row 1 is out of range"):
        metrics.F1(4).update(logits, np.array([0, 4, 1]))
    with pytest.raises(ShapeError, match="class 2 of row 0 is out of range"):
        metrics.F1(2).update(logits[:, 0], np.array([2, 0, 1]))
    with pytest.raises(DtypeError, match="as integers"):
        metrics.Accuracy().update(logits, np.zeros(3))
    with pytest.raises(ShapeError, match="at least as many classes"):
        metrics.TopKAccuracy(5).update(logits, np.zeros(3, int))
    with pytest.raises(ShapeError, match=r"scores \[n\]"):
        metrics.AUROC().update(logits, np.zeros(3, int))
    with pytest.raises(ShapeError, match=r"another|expected the same shape"):
        metrics.MeanSquaredError().update(logits, logits[0])
    for wrong in (
        lambda: metrics.TopKAccuracy(0),
        lambda: metrics.ConfusionMatrix(0),
        lambda: metrics.Precision(3, "binary"),
        lambda: metrics.Recall(3, untyped("mean")),
        lambda: metrics.AUROC(1),
        lambda: metrics.AUROC(3, "micro"),
        lambda: metrics.Mean().update(1.0, weight=untyped("heavy")),
    ):
        with pytest.raises(AutographError, match=r"expected|of 2 classes"):
            wrong()
    other = Device.interpreter() if device.is_host else Device.host()
    metric = metrics.Accuracy()
    metric.update(logits, np.zeros(3, int))
    with pytest.raises(DeviceError, match="to_device"):
        metric.update(Tensor.zeros((3, 4), f32, other), np.zeros(3, int))
    with pytest.raises(DeviceError, match="to_device"):
        metric.update(logits, Tensor.zeros(3, i32, other))
    with pytest.raises(ShapeError, match=r"another|of shape"):
        metrics.ConfusionMatrix(2).merge(metrics.ConfusionMatrix(3))


@one_vulkan_device
def test_a_state_goes_on_in_another_metric(device: Device) -> None:
    """On the device of its next batch; with the same bits as if it had never been read."""
    made: list[tuple[Any, Any, Any]] = [
        (metrics.Accuracy, LOGITS, TRUE.astype(np.int32)),
        (lambda: metrics.ConfusionMatrix(CLASSES), LOGITS, TRUE.astype(np.int32)),
        (lambda: metrics.F1(CLASSES, "macro"), LOGITS, TRUE.astype(np.int32)),
        (metrics.MeanSquaredError, LOGITS[:, 0], LOGITS[:, 1]),
        (metrics.R2, LOGITS[:, 0], LOGITS[:, 1]),
        (metrics.AUROC, LOGITS[:, 0], (TRUE > 0).astype(np.int32)),
    ]
    for make, predictions, true in made:
        whole, metric = make(), make()
        metric.restore(metric.state())  # of nothing
        for batch in BATCHES:
            given = Tensor.from_numpy(predictions[batch], device), Tensor.from_numpy(true[batch], device)
            whole.update(*given)
            metric.update(*given)
            after = make()
            after.restore(metric.state())
            np.testing.assert_array_equal(after.compute(), metric.compute())
            metric = after
        np.testing.assert_array_equal(metric.compute(), whole.compute())
        metric.reset()
        np.testing.assert_array_equal(metric.compute(), make().compute())


def test_states_of_others() -> None:
    with pytest.raises(AutographError, match="a state of _hits, _count is expected"):
        metrics.Accuracy().restore(metrics.Mean().state())
    matrix = metrics.ConfusionMatrix(2)
    matrix.update(Tensor.from_numpy([0, 1]), np.array([0, 1]))
    with pytest.raises(ShapeError, match="a state of shapes"):
        metrics.ConfusionMatrix(3).restore(matrix.state())
