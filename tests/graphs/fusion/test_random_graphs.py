"""Random graphs, rewritten and replayed with changed inputs, leave the bits that their launches leave."""

from __future__ import annotations

import pytest

from krnlpy import Device
from tests.graphs.fusion.programs import Program, bits
from tests.support.tiers import deep

RATES = (0.5, 0.5, 0.25)


def check(seed: int, device: Device, lengths: tuple[int, int] = (3, 10)) -> tuple[int, int]:
    """The number of commands before and after."""
    program = Program(seed, device, lengths=lengths)
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


@pytest.mark.parametrize("first", [2000, 2003])
def test_random_graphs_whose_temporaries_share_memory(device: Device, first: int) -> None:
    saved = [check_shared(seed, device) for seed in range(first, first + 3)]
    assert sum(after for _, after in saved) < 0.7 * sum(before for before, _ in saved)


def check_shared(seed: int, device: Device) -> tuple[int, int]:
    """Two graphs, replayed in turn, then within others, with other buffers for one of the inputs. The bytes that they
    have of their own before and after."""
    programs = [Program(seed + i, device, [(5, 64), (16, 16)], (10, 40)) for i in (0, 1_000_000)]
    turns = [(0, 0.5, 0), (1, 0.5, 0), (0, 0.25, 1), (0, 0.25, 0), (1, 0.5, 1), (1, 2.0, 1), (0, 2.0, 1)]
    found: list[list[list[bytes]]] = []
    memory = 0, 0
    for way in ("eager", "replayed", "within another"):
        inputs = [program.inputs(seed) for program in programs]
        others = [program.inputs(seed + 1)["a"] for program in programs]
        graphs, kept = [], []
        if way != "eager":
            for program, own, other in zip(programs, inputs, others, strict=True):
                with device.capture() as graph:
                    replaced = {**own, "a": graph.parameter("a", own["a"])} if other.shape == own["a"].shape else own
                    kept.append(program.run(replaced, graph.parameter("rate", 0.5)))
                memory = memory[0] + graph.memory_bytes, memory[1]
                graph.fuse()
                memory = memory[0], memory[1] + graph.memory_bytes
                graphs.append(graph)
        results = []
        for number, rate, which in turns:
            chosen = {**inputs[number], "a": (inputs[number]["a"], others[number])[which]}
            if way == "eager":
                outcome = programs[number].run(chosen, rate)
            else:
                outcome = kept[number]
                if way == "replayed":
                    graphs[number].replay(rate=rate, a=chosen["a"])
                else:
                    with device.capture() as outer:
                        graphs[number].replay(rate=rate, a=chosen["a"])
                    outer.fuse()
                    outer.replay()
            results.append(bits(own for own in outcome) + bits(inputs[number].values()) + bits(others))
        found.append(results)
    for way, results in zip(("replayed", "within another"), found[1:], strict=True):
        for turn, (expected, result) in enumerate(zip(found[0], results, strict=True)):
            assert result == expected, f"seed {seed}, {way}, turn {turn}"
    return memory


@deep
@pytest.mark.parametrize("first", range(3000, 3400, 20))
def test_many_random_graphs_whose_temporaries_share_memory(device: Device, first: int) -> None:
    for seed in range(first, first + 20):
        check_shared(seed, device)


@deep
@pytest.mark.parametrize("first", range(100, 1100, 50))
def test_many_random_graphs(device: Device, first: int) -> None:
    for seed in range(first, first + 50):
        check(seed, device)
