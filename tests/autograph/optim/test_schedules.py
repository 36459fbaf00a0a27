"""Schedules beside PyTorch's at each of 200 steps. They are Python's numbers, so that no device takes part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from autograph.errors import AutographError
from autograph.optim import SGD, schedules
from krnlpy import Device
from tests.support.tiers import one_vulkan_device

pytestmark = pytest.mark.one_vulkan_device

STEPS = 200


def _linear(s: Any, o: Any) -> Any:
    return s.LambdaLR(o, lambda n: 0.25 + 1.75 * min(n, 70) / 70)  # LinearLR takes no share above 1


CASES: list[tuple[Any, Callable[[Any, Any], Any]]] = [
    (schedules.constant(0.1), lambda s, o: s.ConstantLR(o, factor=1.0)),
    (schedules.step(0.1, every=30, factor=0.5), lambda s, o: s.StepLR(o, 30, 0.5)),
    (schedules.multi_step(0.1, at=[20, 20, 150]), lambda s, o: s.MultiStepLR(o, [20, 20, 150])),
    (schedules.exponential(0.1, 0.97), lambda s, o: s.ExponentialLR(o, 0.97)),
    (schedules.linear(0.1, 70, 0.25, 2.0), _linear),
    (schedules.polynomial(0.1, 150, 2.5), lambda s, o: s.PolynomialLR(o, 150, 2.5)),
    (schedules.cosine(0.1, STEPS, least=0.01), lambda s, o: s.CosineAnnealingLR(o, STEPS, 0.01)),
    (schedules.cosine_with_restarts(0.1, 30, least=0.01), lambda s, o: s.CosineAnnealingWarmRestarts(o, 30, 1, 0.01)),
    (schedules.cosine_with_restarts(0.1, 20, 2), lambda s, o: s.CosineAnnealingWarmRestarts(o, 20, 2)),
    (schedules.one_cycle(0.1, STEPS), lambda s, o: s.OneCycleLR(o, 0.1, STEPS, cycle_momentum=False)),
    (
        schedules.one_cycle(0.1, 333, 0.25, divisor=10, final_divisor=100),
        lambda s, o: s.OneCycleLR(
            o, 0.1, 333, pct_start=0.25, div_factor=10, final_div_factor=100, cycle_momentum=False
        ),
    ),
    (
        schedules.inverse_square_root(0.1, 40),
        lambda s, o: s.LambdaLR(o, lambda n: 40**0.5 * min((n + 1) ** -0.5, (n + 1) * 40**-1.5)),
    ),
    (
        schedules.warm_up(25, schedules.cosine(0.1, 175), start=0.2),
        lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.2, 1.0, 25), s.CosineAnnealingLR(o, 175)], [25]),
    ),
    (
        schedules.sequential([schedules.step(0.1, 20), schedules.exponential(0.1, 0.9)], at=[60]),
        lambda s, o: s.SequentialLR(o, [s.StepLR(o, 20), s.ExponentialLR(o, 0.9)], [60]),
    ),
]


@pytest.mark.parametrize(("ours", "make"), CASES, ids=lambda v: repr(v) if isinstance(v, schedules.Schedule) else "")
def test_rates_are_pytorchs(ours: Any, make: Any) -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    theirs = make(torch.optim.lr_scheduler, optimizer)
    for step in range(STEPS):
        # PyTorch multiplies from step to step: 200 roundings of f64; cosines lose digits where they go to 0.
        assert ours(step) == pytest.approx(theirs.get_last_lr()[0], rel=200 * 2.0**-52, abs=0.1 * 1e-13)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("mode", ["min", "max"])
def test_plateau_is_pytorchs(mode: Any) -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    settings: dict[str, Any] = {"factor": 0.5, "patience": 3, "threshold": 0.01, "cooldown": 2}
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, min_lr=0.001, **settings)
    ours = schedules.Plateau(0.1, mode=mode, least=0.001, **settings)
    rng = np.random.default_rng(0)
    level, seen = 3.0, set()
    for step in range(STEPS):
        level *= 1 + (0.01 if mode == "max" else -0.01) * float(rng.random() > 0.6)
        metric = float("nan") if step == 50 else level + 0.02 * rng.normal()
        ours.update(metric)
        theirs.step(metric)
        assert ours(step) == optimizer.param_groups[0]["lr"]
        seen.add(ours(step))
        if step % 20 == 0:  # saved and loaded
            ours, state = schedules.Plateau(1.0, mode=mode, least=0.001, **settings), ours.state()
            ours.restore(state)
    assert len(seen) > 3


def test_what_lies_beyond_the_last_step() -> None:
    for schedule, last in [
        (schedules.cosine(0.1, 10, least=0.01), 0.01),
        (schedules.one_cycle(0.1, 10), 0.1 / 25 / 1e4),
        (schedules.one_cycle(0.1, 1), 0.1 / 25 / 1e4),
        (schedules.one_cycle(0.1, 10, rise=1.0), 0.1),
        (schedules.one_cycle(0.1, 10, rise=0.1), 0.1 / 25 / 1e4),
        (schedules.linear(0.1, 10), 0.0),
        (schedules.polynomial(0.1, 10, least=0.05), 0.05),
    ]:
        assert schedule(10**9) == pytest.approx(last, abs=1e-17), schedule


@one_vulkan_device
def test_a_rate_of_a_captured_step(device: Device) -> None:
    weight = Parameter(Tensor.zeros(1, device=device))
    schedule = schedules.exponential(1.0, 0.5)
    with device.capture() as graph:
        SGD().update(weight, Tensor.ones(1, device=device), graph.parameter("rate", 0.0))
    for step in range(3):
        graph.replay(rate=schedule(step))
    assert weight.item() == -1.75


def test_schedules_say_what_they_are() -> None:
    text = repr(schedules.warm_up(4, schedules.cosine(1, 10)))
    assert text == "warm_up(4, cosine(1.0, steps=10, least=0.0), start=0.0)"
    assert repr(eval(text, vars(schedules))) == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.constant(-1), "constant: rate=-1; expected a number of at least 0"),
        (lambda: schedules.step(0.1, every=0), "step: every=0; expected a whole number of at least 1"),
        (lambda: schedules.step(0.1, every=2.5), "every=2.5"),  # type: ignore[arg-type]
        (lambda: schedules.multi_step(0.1, at=[3, 1]), "expected steps in ascending order"),
        (lambda: schedules.multi_step(0.1, at=3), "expected a list of steps"),  # type: ignore[arg-type]
        (lambda: schedules.cosine(0.1, 10, least=0.2), "least=0.2; expected a number of at least 0 and at most 0.1"),
        (lambda: schedules.one_cycle(0.1, 10, divisor=0), "divisor=0; expected a number above 0"),
        (lambda: schedules.one_cycle(0.1, 10, rise=float("nan")), "rise=nan"),
        (lambda: schedules.sequential([schedules.constant(1)], at=[5]), r"at=\[5\] for 1 schedules; expected 0"),
        (lambda: schedules.sequential([], at=[]), "expected a list of functions"),
        (lambda: schedules.warm_up(5, 0.1), "then=0.1; expected a function of the step"),  # type: ignore[arg-type]
        (lambda: schedules.constant(0.1)(-1), "step=-1; expected a whole number"),
        (lambda: schedules.Plateau(0.1, factor=1), "factor=1"),
        (lambda: schedules.Plateau(0.1, mode="best"), "mode='best'; expected 'min' or 'max'"),  # type: ignore[arg-type]
        (lambda: schedules.Plateau(0.1).update("x"), "metric='x'"),  # type: ignore[arg-type]
        (lambda: schedules.Plateau(0.1).restore({"rate": 1}), "expected rate, best, bad, cooling"),
    ],
)
def test_settings_out_of_range(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(AutographError, match=message):
        make()
