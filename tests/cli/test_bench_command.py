"""``krnlpy bench``."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from krnlpy.bench import basics, results, running
from krnlpy.cli import command
from tests.bench import fakes


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sizes, little time, and what this repository has alone."""
    monkeypatch.setattr(basics, "BYTES", basics.BYTES[:1])
    monkeypatch.setattr(basics, "CHAIN_ITEMS", (1 << 10,))
    monkeypatch.setattr(running, "QUICK", running.Pace(100.0, 0.001, 0.0001))
    monkeypatch.setattr(metadata, "entry_points", lambda group: [])


def test_all_basics_on_the_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.json"
    assert command.main(["bench", "--quick", "--device", "host", "--json", str(path)]) == 0
    report = results.read(path)
    (device,) = report.devices
    assert report.is_quick and device.label == "host"
    assert all(result.is_timed for result in device.results)
    assert [r.benchmark for r in device.results if r.peak] == ["copy", "copy", "saxpy", "sum"]
    text = capsys.readouterr().out
    for word in ("round-trip", "GB/s", "FLOP/s", "quick run", report.krnlpy):
        assert word in text


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["bench", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [b.name for b in basics.BASICS]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no benchmark is called 'nothing'"),
        (["copy", "--device", "no such device"], "no such device"),
        (["copy", "--device", "99"], "99"),
        (["copy", "--device", "interpreter"], "has no benchmarks"),
    ],
)
def test_wrong_options(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["bench", *arguments]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("krnlpy bench: ") and message in said.err and not said.out


@pytest.mark.parametrize(("error", "status"), [(AssertionError("1, not 2"), 1), (OSError("no"), 1), (None, 0)])
def test_status(error: Any, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fake = fakes.benchmark("fake", [fakes.case(1, error=error)])
    monkeypatch.setattr(basics, "BASICS", (fake,))
    assert command.main(["bench", "--quick", "--device", "host"]) == status
    assert (str(error) in capsys.readouterr().out) == bool(error)
