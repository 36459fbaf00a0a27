"""Random graphs, rewritten and replayed with changed inputs, leave the bits that their launches leave."""

from __future__ import annotations

import pytest

from krnlpy import Device
from tests.graphs.fusion.programs import Program, bits
from tests.support.tiers import deep

RATES = (0.5, 0.5, 0.25)


def check(seed: int, device: Device) -> tuple[int, int]:
    """The number of commands before and after."""
    program = Program(seed, device)
    expected, found = [], []
    inputs = program.inputs(seed)
    for rate in RATES:
        kept = program.run(inputs, rate)
        expected.append(bits(kept) + bits(inputs.values()))
    inputs = program.inputs(seed)
    with device.capture() as graph:
        kept = program.run(inputs, graph.parameter("rate", RATES[0]))
    before = len(graph)
    graph.fuse()
    for rate in RATES:
        graph.replay(rate=rate)
        found.append(bits(kept) + bits(inputs.values()))
    assert found == expected, f"seed {seed}\n{graph.explain()}"
    return before, len(graph)


@pytest.mark.parametrize("first", [0, 4, 8])
def test_random_graphs(device: Device, first: int) -> None:
    counts = [check(seed, device) for seed in range(first, first + 4)]
    assert sum(after for _, after in counts) < sum(before for before, _ in counts)


@deep
@pytest.mark.parametrize("first", range(100, 1100, 50))
def test_many_random_graphs(device: Device, first: int) -> None:
    for seed in range(first, first + 50):
        check(seed, device)
