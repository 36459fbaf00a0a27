"""Random operations against PyTorch, where it is installed: ``python -m tests.parity`` tries more."""

from __future__ import annotations

import pytest

from krnlpy import Device
from tests.support.tiers import deep

pytest.importorskip("torch")


def test_every_public_function_is_tried_or_has_a_reason_not_to_be() -> None:
    pytest.importorskip("scipy")  # the reference of some
    from .untried import UNTRIED, functions, tried

    assert functions() - tried() == set(UNTRIED)


COUNT = 60  # of which a chunk tries each second


@deep
@pytest.mark.parametrize("first", range(0, 10 * COUNT, COUNT))
def test_operations_give_what_pytorch_gives(device: Device, first: int) -> None:
    from .trial import run

    if device.info.kind == "interpreter":
        pytest.skip("an element at a time it takes minutes")
    for seed in range(first, first + COUNT):
        fault = run(seed, device).fault
        assert not fault, f"python -m tests.parity --count 1 --seed {seed}\n{fault}"
