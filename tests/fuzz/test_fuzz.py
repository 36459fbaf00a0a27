"""Random programs on every device: each must give what the interpreter gives; what is broken must say so."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from krnlpy import Device
from tests.support.tiers import sampled

from .breaker import survey
from .case import Case, Loaded
from .program import draw
from .run import Arrays, can_run, check, judge

CHUNK = 30
PROGRAMS = 360
"""Of which every driver of the CI can run at least 300: not all compute with 64 bits, or keep zeros' signs. Two
thirds of them are in the deep tier."""


@cache
def judged(seed: int) -> tuple[Case, Loaded, Arrays]:
    """The case of a seed with the interpreter's results, for all devices."""
    case = draw(seed)
    kernel = case.load()
    return case, kernel, judge(case, kernel)


@pytest.mark.parametrize(("first",), sampled([(first,) for first in range(0, PROGRAMS, CHUNK)], 3))
def test_devices_agree(device: Device, first: int) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("the interpreter is the judge")
    for seed in range(first, first + CHUNK):
        case, kernel, want = judged(seed)
        if not can_run(case, device):
            continue
        fault = check(case, kernel, device, want)
        assert fault is None, f"python -m tests.fuzz --count 1 --seed {seed}\n{fault}\n{case.text}"


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_broken_programs_are_refused(first: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(first, first + 10):
        assert not list(survey(seed, [Device.host()], counts))
    # Breaking must neither be harmless nor so wild that nothing of the compiler is reached.
    assert counts["refused by us"] >= 5
    assert counts["still work"] >= 3
