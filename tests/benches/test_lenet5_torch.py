"""PyTorch in each of its ways: what it computes is right, and a way that can't be had is left out with the reason."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import pytest

from benches import lenet5
from benches.harness import Runner, Unavailable
from benches.lenet5_reference import Reference
from benches.lenet5_work import Work
from krnlpy.scalar import bf16, f32
from tests.support.tiers import deep

torch = pytest.importorskip("torch")

from benches import lenet5_torch  # noqa: E402 - it needs PyTorch

QUICK = [(what, way) for what, ways in lenet5.TORCH_WAYS.items() for way in ways if not way.startswith("compile")]
COMPILED = [pytest.param("training", "compile + channels_last", marks=deep), ("inference", "compile + freezing")]
"""A compilation takes 10 s to a minute; the other ways do the same."""


@pytest.fixture
def work(request: Any) -> Work:
    dtype = getattr(request, "param", f32)
    rng = np.random.default_rng(0)
    images, classes = rng.integers(0, 256, (2, 10, 1, 28, 28)), rng.integers(0, 10, (2, 10)).astype(np.uint8)
    batches = [lenet5._batches(x, t, 10, 1, dtype)[0] for x, t in zip(images, classes, strict=True)]
    return Work(lenet5.initial_weights(dtype), batches, dtype.name, verified_steps=3)


def runner(what: str, work: Work, way: str) -> Runner:
    return {"training": lenet5_torch.Training, "inference": lenet5_torch.Inference}[what](work, "host", way)


def verify(what: str, work: Work, ready: Runner) -> None:
    tolerance = lenet5.TOLERANCES[{"f32": f32, "bf16": bf16}[work.dtype]]
    if what == "training":
        judge = partial(lenet5.judge_losses, lenet5._expected_losses(work), tolerance)
    else:
        logits = Reference(work.weights).logits(work.batches[0][0])
        judge = partial(lenet5.judge_logits, logits, tolerance)
    judge(ready.result())
    ready.run(3)  # more than there are batches


@pytest.mark.parametrize("work", [f32, bf16], indirect=True, ids=str)
@pytest.mark.parametrize(("what", "way"), QUICK)
def test_a_way_is_right(what: str, way: str, work: Work) -> None:
    verify(what, work, runner(what, work, way))


@pytest.mark.parametrize(("what", "way"), COMPILED)
def test_compiled_code_is_right(what: str, way: str, work: Work) -> None:
    try:
        ready = runner(what, work, way)
    except Unavailable as error:
        pytest.skip(str(error))
    verify(what, work, ready)
    if isinstance(ready, lenet5_torch.Inference):
        assert ready.predict is not ready.model
    else:
        assert isinstance(ready, lenet5_torch.Training) and ready.loss != ready._loss


@pytest.mark.parametrize(
    ("what", "way"),
    [("training", "compile"), ("inference", "compile + freezing"), ("inference", "optimize_for_inference")],
)
def test_a_way_that_cannot_be_had_is_left_out_with_the_reason(
    what: str, way: str, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("backend raised:\nno C++ compiler\n\nhere is what to do")

    monkeypatch.setattr(torch, "compile", refuse)
    monkeypatch.setattr(torch.jit, "trace", refuse)
    with pytest.raises(Unavailable, match=f"^{re.escape(way)}: RuntimeError: backend raised: no C[+][+] compiler$"):
        runner(what, work, way)
    runner(what, work, "eager")


def test_weights_and_images_lie_as_the_way_says(work: Work) -> None:
    for way, layout in (("channels_last", torch.channels_last), ("eager", torch.contiguous_format)):
        ready = lenet5_torch.Inference(work, "host", way)
        weights = ready.model[3].weight  # of several channels: with one, there is no difference
        assert weights.is_contiguous(memory_format=layout)
        assert weights.is_contiguous() == (way == "eager")
