"""Connectionist temporal classification beside PyTorch's, and beside all paths one by one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import Parameter, Tensor, gradcheck
from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.losses import alignments
from krnlpy import Device, bf16, f16, f32, f64
from tests.support.devices import requires
from tests.support.tiers import deep, one_vulkan_device
from tests.support.typed import present, untyped

RANDOM = np.random.default_rng(7)
FRAMES, BATCH, CLASSES = 9, 5, 4
LOGITS = RANDOM.uniform(-3, 3, (FRAMES, BATCH, CLASSES)).astype(np.float32)
TARGETS = np.array([[1, 2, 3], [2, 2, 2], [3, 1, 1], [1, 1, 0], [2, 3, 2]])
INPUTS, LENGTHS = np.array([9, 8, 5, 7, 2]), np.array([3, 3, 0, 2, 3])  # the last one is too short


def compare(device: Device, reduction: Any, zero_infinity: bool, *, batch: int = BATCH, flat: bool = False) -> None:
    """Values and gradients with those of PyTorch in f64: sums of 9 frames of some logarithms of f32, each near 5."""
    torch: Any = pytest.importorskip("torch")
    functional = torch.nn.functional
    targets, inputs, lengths = TARGETS[:batch], INPUTS[:batch], LENGTHS[:batch]
    if flat:
        targets = np.concatenate([row[:n] for row, n in zip(targets, lengths, strict=True)])
    x = Parameter(Tensor.from_numpy(LOGITS[:, :batch], device))
    x.init_grad()
    wide = torch.tensor(LOGITS[:, :batch].astype(np.float64), requires_grad=True)
    found = ag.ctc_loss(ag.log_softmax(x), targets, inputs, lengths, reduction, zero_infinity=zero_infinity)
    expected = functional.ctc_loss(
        functional.log_softmax(wide, -1),
        *map(torch.tensor, (targets, inputs, lengths)),
        reduction=reduction,
        zero_infinity=zero_infinity,
    )
    assert (found.shape, found.dtype) == (tuple(expected.shape), ag.result_type(f32))
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=5e-6, atol=5e-6)
    found.backward(Tensor.ones(found.shape, f32, device))
    expected.backward(torch.ones_like(expected))
    np.testing.assert_allclose(present(x.grad).numpy(), wide.grad.numpy(), rtol=0, atol=1e-5)


def test_beside_pytorch(device: Device) -> None:
    compare(device, "none", True)
    compare(device, "mean", False, batch=4)
    compare(device, "sum", False, batch=4, flat=True)


@one_vulkan_device
def test_few_frames_at_a_time(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there are more frames than a thread may pass, and fewer threads than states."""
    monkeypatch.setattr(alignments, "max_passes", lambda device: 20)
    monkeypatch.setattr(alignments, "_threads", lambda device: 1 if device.is_host else 4)
    compare(device, "none", True)


def test_all_paths() -> None:
    """The probability is that of all paths that read as the labels, with and without blanks between them."""
    x = ag.log_softmax(Tensor.from_numpy(RANDOM.uniform(-1, 1, (4, 1, 3))))
    chances = np.exp(x.numpy()[:, 0])
    for labels in ([1], [1, 2], [2, 2], []):
        total = 0.0
        for path in itertools.product(range(3), repeat=4):
            if [c for c, _ in itertools.groupby(path) if c != 0] == labels:
                total += np.prod(chances[range(4), path])
        loss = ag.ctc_loss(x, np.array([labels], np.int32).reshape(1, -1), [4], [len(labels)], "sum")
        assert loss.item() == pytest.approx(-np.log(total), rel=1e-12)


def test_gradient_is_that_by_the_logarithms() -> None:
    x = Tensor.from_numpy(LOGITS[:, :4].astype(np.float64))
    gradcheck(lambda x: ag.ctc_loss(x, TARGETS[:4], INPUTS[:4], LENGTHS[:4]), x)


@one_vulkan_device
def test_sequences_without_an_alignment(device: Device) -> None:
    """Their loss is infinite; with zero_infinity it is 0 and has no gradient. One of no frames has no labels."""
    x = Parameter(Tensor.from_numpy(LOGITS[:, :3], device))
    for zero_infinity, expected in ((False, np.inf), (True, 0.0)):
        x.init_grad()
        losses = ag.ctc_loss(x, TARGETS[:3], [2, 0, 0], [3, 0, 2], "none", zero_infinity=zero_infinity)
        np.testing.assert_array_equal(losses.numpy(), [expected, 0, expected])
        losses.sum().backward()
        gradient = present(x.grad).numpy()
        assert (gradient[:, 1] == 0).all() and (gradient == 0).all() == zero_infinity


@one_vulkan_device
def test_the_same_bits_each_time(device: Device) -> None:
    def gradient() -> bytes:
        x = Parameter(Tensor.from_numpy(LOGITS, device))
        x.init_grad()
        ag.ctc_loss(x, TARGETS, INPUTS, LENGTHS, zero_infinity=True).backward()
        return present(x.grad).numpy().tobytes()

    assert gradient() == gradient()


@deep
@pytest.mark.parametrize("dtype", [f16, bf16, f64], ids=str)
def test_dtypes(dtype: Any, device: Device) -> None:
    requires(device, dtype)
    x = Parameter(Tensor.from_numpy(LOGITS[:, :4], device).cast(dtype))
    x.init_grad()
    loss = ag.ctc_loss(x, TARGETS[:4], INPUTS[:4], LENGTHS[:4])
    exact = ag.ctc_loss(Tensor.from_numpy(x.numpy().astype(np.float64)), TARGETS[:4], INPUTS[:4], LENGTHS[:4])
    assert loss.dtype is x.dtype.compute
    assert loss.item() == pytest.approx(exact.item(), rel=1e-5)
    loss.backward()
    assert present(x.grad).dtype is x.dtype


@deep
def test_long_sequences(device: Device) -> None:
    """More frames and states than a thread of some drivers may pass in all."""
    if device.info.kind == "interpreter":
        pytest.skip("millions of exponentials")
    torch: Any = pytest.importorskip("torch")
    logits = np.random.default_rng(1).uniform(-1, 1, (1500, 2, 6)).astype(np.float32)
    targets = np.random.default_rng(2).integers(1, 6, (2, 300))
    x = ag.log_softmax(Tensor.from_numpy(logits, device))
    found = ag.ctc_loss(x, targets, [1500, 1400], [300, 250], "none")
    log_softmax = torch.nn.functional.log_softmax(torch.tensor(logits.astype(np.float64)), -1)
    lengths = torch.tensor([1500, 1400]), torch.tensor([300, 250])
    expected = torch.nn.functional.ctc_loss(log_softmax, torch.tensor(targets), *lengths, reduction="none")
    # 1,500 additions of logarithms, each rounded to half an ulp of a sum of up to 2,000: 1e-4, at random far less.
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=2e-5)


def test_lengths_on_a_device(device: Device) -> None:
    """They are not looked at; what is too great counts as what there is. A label that is no class makes NaN."""
    if device.is_host:
        pytest.skip("errors there")
    x = Tensor.from_numpy(LOGITS[:, :2], device)
    frames, lengths = (Tensor.from_numpy(np.array(n, np.int32), device) for n in ([99, -3], [99, -3]))
    losses = ag.ctc_loss(x, TARGETS[:2], frames, lengths, "none")
    expected = ag.ctc_loss(x, TARGETS[:2], [9, 0], [3, 0], "none")
    np.testing.assert_array_equal(losses.numpy(), expected.numpy())
    wrong = Tensor.from_numpy(np.array([[1, 9, 2], [1, -1, 2]], np.int32), device)
    assert np.isnan(ag.ctc_loss(x, wrong, [9, 9], [3, 3], "none").numpy()).all()


def test_what_does_not_fit(device: Device) -> None:
    x = Tensor.from_numpy(LOGITS, device)

    def refused(error: type[Exception], match: str, **changes: Any) -> None:
        given = {"targets": TARGETS, "input_lengths": INPUTS, "target_lengths": LENGTHS, **changes}
        with pytest.raises(error, match=match):
            ag.ctc_loss(given.pop("x", x), **given)

    refused(ShapeError, r"\[frames, batch, classes\]", x=x[0])
    refused(ShapeError, "5 sequences takes targets", targets=TARGETS[:2])
    refused(ShapeError, "label 7", targets=TARGETS + 4)
    refused(ShapeError, r"input_lengths=\): 10 is out of range", input_lengths=INPUTS + 1)
    refused(ShapeError, r"target_lengths=\): -1", target_lengths=LENGTHS - 1)
    refused(ShapeError, "one for each sequence", input_lengths=[1, 2])
    refused(ShapeError, "add up to 11", targets=TARGETS.reshape(-1))
    refused(DtypeError, "targets as integers", targets=TARGETS * 0.5)
    refused(AutographError, "blank=4", blank=4)
    refused(AutographError, "reduction='all'", reduction=untyped("all"))
    other = Device.interpreter() if device.is_host else Device.host()
    refused(DeviceError, "to_device", targets=Tensor.zeros((5, 3), "i32", other))
