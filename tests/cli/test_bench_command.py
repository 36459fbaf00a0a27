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
    monkeypatch.setattr(running, "LOOKED", 0.001)
    monkeypatch.setattr(running, "QUICK", running.Pace(100.0, 0.001, 0.0001))
    monkeypatch.setattr(metadata, "entry_points", lambda group: [])


def test_all_basics_on_the_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.json"
    assert command.main(["bench", "--quick", "--device", "host", "--json", str(path)]) == 0
    report = results.read(path)
    (device,) = report.devices
    assert report.is_quick and device.label == "host"
    assert {result.benchmark for result in device.results if not result.is_timed} == {"matrix"}
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


def written(path: Path, report: Any) -> str:
    results.write(path, report)
    return str(path)


def test_a_run_is_written_for_all_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basics, "BASICS", (fakes.benchmark("fake", [fakes.case(1)]),))
    paths = [tmp_path / name for name in ("a.json", "a.csv", "a.html")]
    options = [text for path in paths for text in (f"--{path.suffix[1:]}", str(path))]
    assert command.main(["bench", "--quick", "--device", "host", *options]) == 0
    assert all("fake" in path.read_text() for path in paths)


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = written(tmp_path / "slow.json", fakes.report(fakes.result(seconds=0.002)))
    fast = written(tmp_path / "fast.json", fakes.report(fakes.result(), is_quick=True))
    assert command.main(["bench", "compare", slow, fast]) == 2
    assert "--anyway" in capsys.readouterr().err
    page = tmp_path / "a.html"
    assert command.main(["bench", "compare", slow, fast, "--anyway", "--html", str(page)]) == 0
    text = capsys.readouterr().out
    assert "card (slow)" in text and "2 (1.96 to 2.04)" in text and "quick run" in text
    assert "2 (1.96 to 2.04)" in page.read_text()
    assert command.main(["bench", "compare", slow, fast, "--device", "none"]) == 2


def test_describe(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["bench", "describe", "launch"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("launch: time of a launch\n") and "less is better" in text and "copy" not in text
    assert command.main(["bench", "describe"]) == 0
    text = capsys.readouterr().out
    assert all(f"{b.name}: {b.title}" in text for b in basics.BASICS)
    assert command.main(["bench", "describe", "nothing"]) == 2


def test_submit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = written(tmp_path / "a.json", fakes.report(fakes.result()))
    assert command.main(["bench", "submit", report, "--folder", str(tmp_path / "to")]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("title: Measure card\n") and "| copy |" in said.out
    (path,) = (tmp_path / "to" / "maker").iterdir()
    assert str(path) in said.err
    assert command.main(["bench", "submit"]) == 2
    assert command.main(["bench", "submit", str(tmp_path / "missing")]) == 2
