"""Others' software in processes of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from krnlpy.bench import peers, running
from krnlpy.bench.benchmark import Benchmark
from krnlpy.bench.peers import measured
from krnlpy.bench.running import Pace
from krnlpy.errors import BenchmarkError
from tests.support.tiers import deep

from . import fakes

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PACKAGES", {"other": "json", "missing": "no_such_package"})
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("QUICK", "FULL"):
        monkeypatch.setattr(peers, name, Pace(100.0, 0.01, 0.001))


def fake(*sizes: int, module: str = "tests.bench.other", **more: Any) -> Benchmark:
    return fakes.benchmark("fake", *([fakes.case(size)] for size in sizes), peers={"other": module}, **more)


def test_a_peer_is_verified_and_timed_in_each_way() -> None:
    slow, fast = measured("other", [fake(1, 2, 3, 5, 1000)])
    assert (slow.label, fast.label) == ("other slowly", "other fast")
    assert (slow.driver, slow.kind) == ("Other 1.0", "peer")
    found = [(r.status if r.status != "not steady" else "steady", r.reason) for r in slow.results]
    assert found[1:4] == [
        ("wrong", "1 is not 2"), ("unsupported", "it has no f64"), ("failed", "BenchmarkError: KeyError: 'x'"),
    ]  # fmt: skip
    assert found[0][0] == found[4][0] == "steady"
    # It sleeps for at least a tenth of a millisecond.
    assert slow.results[0].value <= 1e4 and slow.results[0].share is None


def test_a_quick_run_takes_the_first_way() -> None:
    assert [device.label for device in measured("other", [fake(1)], is_quick=True)] == ["other slowly"]


def test_a_process_that_ends_fails() -> None:
    (found,) = measured("other", [fake(4)], is_quick=True)
    assert found.results[0].status == "failed" and "its process has ended" in found.results[0].reason


@pytest.mark.parametrize(
    ("name", "benchmark", "message"),
    [
        ("nobody", fake(1), "no peer is called 'nobody'; there are: other, missing"),
        ("missing", fake(1), "missing is not installed: pip install no_such_package"),
        ("other", fakes.benchmark("alone", [fakes.case(1)]), "none of these benchmarks has a peer other: alone"),
        ("other", fake(1, module="tests.bench.no_such_module"), "No module named"),
    ],
)
def test_peers_that_cannot_run(name: str, benchmark: Benchmark, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        measured(name, [benchmark])


@deep
def test_pytorch_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from autograph.bench import BENCHMARKS

    monkeypatch.setattr(peers, "PACKAGES", {"torch": "torch"})
    monkeypatch.setattr(running, "MIN_SAMPLES", 1)
    for device in measured("torch", [b for b in BENCHMARKS if b.peers], is_quick=True):
        assert {result.benchmark for result in device.results} == {"matmul", "lenet5"}
        assert not [r for r in device.results if r.status in ("wrong", "failed")]
