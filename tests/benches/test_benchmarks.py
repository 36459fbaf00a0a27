"""The benchmarks themselves: what they compute is right on every device, and their judges would say if it were not."""

from __future__ import annotations

import itertools
import tracemalloc
from functools import partial
from typing import Any

import numpy as np
import pytest

import krnlpy
from autograph.data import load_mnist
from benches import (
    alloc,
    fill,
    first,
    graph,
    imports,
    launch,
    lenet5,
    memory,
    memory_autograph,
    products,
    saxpy,
    transfer,
)
from benches.harness import Case, Unavailable, VerificationError
from benches.lenet5_reference import Reference
from benches.lenet5_work import MOMENTUM, VERIFIED_RATE, Work, load
from benches.selection import Selection, open_devices
from krnlpy import Device, ScalarType
from krnlpy.scalar import bf16, f32
from tests.support.devices import by_driver
from tests.support.tiers import deep, sampled


def one_of_each_driver() -> tuple[Device, ...]:
    """The host, and a Vulkan device of each driver: two versions of one cost twice as much."""
    return (Device.host(), *(Device(alike[0]) for alike in by_driver(range(len(krnlpy.devices())))))


def verify(case: Case) -> None:
    for contender in case.contenders:
        try:
            case.judge(contender.open().result())
        except Unavailable:
            assert contender.peer


@pytest.mark.parametrize("module", [launch, graph, imports, first])
def test_results_are_right(module: Any) -> None:
    for case in module.cases(Selection(one_of_each_driver(), module.PEERS)):
        verify(case)


def test_saxpy_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saxpy, "ELEMENTS", (1000,))
    cases = list(saxpy.cases(Selection(open_devices(None), saxpy.PEERS)))
    count = len(krnlpy.devices())
    assert [case.configuration["threads"] for case in cases] == [1, "all", *["all"] * count]
    for case in cases:
        verify(case)


def test_products_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "SHAPES", ((40, 40), (3, 16, 16)))
    cases = list(products.cases(Selection(one_of_each_driver(), products.PEERS)))
    assert [case.configuration["dtype"] for case in cases] == ["f32", "f32", "bf16", "bf16"]
    for case in cases:
        verify(case)


def test_numpys_saxpy_makes_no_arrays() -> None:
    x = np.ones(100_000, np.float32)
    runner = saxpy.NumpySaxpy(x, x)
    tracemalloc.start()
    try:
        runner.run(2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < x.nbytes / 2
    assert (runner.y == 1 + 2 * saxpy.ALPHA).all()


@pytest.mark.parametrize(("module", "sizes"), [(fill, (4096,)), (transfer, (8192, 1 << 20)), (alloc, None)])
def test_memory_is_right(module: Any, sizes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if sizes is not None:
        monkeypatch.setattr(module, "SIZES", sizes)
    for case in module.cases(Selection(open_devices(None), module.PEERS)):
        verify(case)
        for contender in case.contenders:
            if not contender.peer or contender.name == "vulkan":
                assert contender.open().sample(3) > 0


def test_what_training_takes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MODELS", {"LeNet5": memory_autograph.MODELS["LeNet5"]})
    (case,) = memory.cases(Selection((Device.host(),), ()))
    for contender in case.contenders:
        runner = contender.open()
        losses = runner.result()
        case.judge(losses)
        facts = dict(runner.facts())
        assert set(facts) == set(memory.FIGURES) and all(value > 0 for value in facts.values())
        with pytest.raises(AssertionError):
            case.judge(losses + 0.01)


def test_judges_of_memory_are_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "SIZES", (4096,))
    (up, down), (filled, *_) = (list(m.cases(Selection((Device.host(),), ()))) for m in (transfer, fill))
    for case in (up, down, filled):
        wrong = case.contenders[0].open().result().copy()
        wrong[-1] += 1
        with pytest.raises(AssertionError):
            case.judge(wrong)


@pytest.mark.parametrize("dtype", [pytest.param(f32, marks=deep), bf16])
def test_lenet5_is_right(dtype: ScalarType, monkeypatch: pytest.MonkeyPatch) -> None:
    # A run verifies all twelve. Three show the gradients in f32; slow drivers need seconds for each.
    monkeypatch.setattr(lenet5, "Work", partial(Work, verified_steps=3))
    # Of PyTorch's other ways, tests/benches/test_lenet5_torch.py has smaller work.
    monkeypatch.setattr(lenet5, "TORCH_WAYS", {"training": ("eager",), "inference": ("eager",)})
    data = load_mnist(download=False, progress=False)
    weights = lenet5.initial_weights(dtype)
    selection = Selection(one_of_each_driver(), lenet5.PEERS)
    verify(lenet5._training_case(selection, data, dtype, weights))
    verify(lenet5._inference_case(selection, data, dtype, weights))


@pytest.mark.parametrize("index", [None, *range(len(krnlpy.devices()))])
@pytest.mark.parametrize("dtype", [f32, bf16])
def test_a_training_step_neither_reads_back_nor_waits(index: int | None, dtype: ScalarType) -> None:
    data = load_mnist(download=False, progress=False)
    batches = lenet5._batches(data.train_images, data.train_classes, 10, 2, dtype)
    work = Work({}, batches, dtype.name)
    training = lenet5.Training(work, Device.host() if index is None else Device(index))
    training.run(1)  # builds kernels and makes the optimizer's state
    facts = training.facts()
    assert facts["launch"] > 10
    assert (facts["upload"], facts["download"], facts["wait"]) == (0, 0, 0)


def test_peers_in_their_own_process_get_the_same_work() -> None:
    images, classes = np.random.default_rng(0).random((2, 3, 1, 28, 28), np.float32), np.arange(6).reshape(2, 3)
    work = Work({"bias": np.arange(3.0)}, list(zip(images, classes, strict=True)), "bf16", 5)
    with work.file() as path:
        found = load(path)
    assert (found.dtype, found.verified_steps, list(found.weights)) == ("bf16", 5, ["bias"])
    np.testing.assert_array_equal(found.weights["bias"], work.weights["bias"])
    for ours, theirs in zip(work.batches, found.batches, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_the_reference_has_the_gradients_of_its_loss() -> None:
    rng = np.random.default_rng(0)
    weights = {name: w.astype(np.float64) for name, w in lenet5.initial_weights(f32).items()}
    x, t = rng.random((4, 1, 28, 28)), rng.integers(0, 10, 4)

    def loss(weights: dict[str, np.ndarray]) -> float:
        return Reference(weights).step(x, t, 0.0, 0.0)

    trained = Reference(weights)
    trained.step(x, t, 1.0, 0.0)
    for name, weight in weights.items():
        direction: Any = rng.standard_normal(weight.shape)
        direction /= np.linalg.norm(direction)
        # A step small beside the distance to the next kink of relu or pooling: central differences are then good to
        # h**2, rounding to 1e-16 / h.
        h = 1e-6
        ahead, behind = ({**weights, name: weight + sign * h * direction} for sign in (1, -1))
        slope = (loss(ahead) - loss(behind)) / (2 * h)
        gradient = weight - trained.weights[name]
        assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-5, abs=1e-8), name


def test_momentum_of_the_reference() -> None:
    weights = lenet5.initial_weights(f32)
    x, t = np.random.default_rng(0).random((2, 1, 28, 28)), np.array([3, 5])
    trained = Reference(weights)
    trained.step(x, t, 0.5, 0.9)
    first = (weights["bias"] - trained.weights["bias"]) / 0.5
    before = trained.weights["bias"].copy()
    fresh = Reference(trained.weights)
    fresh.step(x, t, 1.0, 0.0)
    second = before - fresh.weights["bias"]
    trained.step(x, t, 0.5, 0.9)
    np.testing.assert_allclose(before - trained.weights["bias"], 0.5 * (0.9 * first + second), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "wrong"), sampled(list(itertools.product([f32, bf16], ["rate", "momentum", "layer"])), 2), ids=str
)
def test_losses_of_wrong_training_are_refused(dtype: ScalarType, wrong: str) -> None:
    data = load_mnist(download=False, progress=False)
    weights = lenet5.initial_weights(dtype)
    work = Work(weights, lenet5._batches(data.train_images, data.train_classes, 30, 1, dtype), dtype.name)
    (batch,) = work.batches
    expected = lenet5._expected_losses(work)
    tolerance = lenet5.TOLERANCES[dtype]
    lenet5.judge_losses(expected, tolerance, list(expected))
    rate = VERIFIED_RATE * (0.5 if wrong == "rate" else 1)
    momentum = 0.5 if wrong == "momentum" else MOMENTUM
    reference = Reference(weights)
    losses = []
    for _ in range(work.verified_steps):
        losses.append(reference.step(*batch, rate, momentum))
        if wrong == "layer":  # one that does not learn
            reference.weights["dense1"] = weights["dense1"].astype(np.float64)
    with pytest.raises(VerificationError, match="the loss of step"):
        lenet5.judge_losses(expected, tolerance, losses)
    with pytest.raises(VerificationError):
        lenet5.judge_losses(expected, tolerance, [float("nan")] * len(expected))


def test_modules_that_load_too_early_are_refused() -> None:
    with pytest.raises(VerificationError, match="loads vulkan"):
        imports.judge(frozenset({"sys", "vulkan"}))
