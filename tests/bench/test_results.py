"""Reports as JSON: written, read, and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from krnlpy.bench import results
from krnlpy.errors import FileError, FileMissing

from . import fakes

UNTIMED = fakes.result(status="unsupported", reason="it has no f64", samples=(), iterations=0, share=None, others=None)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    report = fakes.report(fakes.result(), UNTIMED, warnings=("the machine was busy",))
    results.write(tmp_path / "a.json", report)
    assert results.read(tmp_path / "a.json") == report
    found = json.loads((tmp_path / "a.json").read_text())
    assert (found["format"], found["version"]) == ("krnlpy bench", 1)


def test_figures() -> None:
    rate = fakes.result(seconds=0.001, size=1000)
    assert rate.value == pytest.approx(1e6) and rate.spread == 0
    assert rate.bounds == pytest.approx((1e6 / 1.01, 1e6 / 0.99))
    time = fakes.result(unit="s", amount=100.0, seconds=0.001)
    assert time.value == pytest.approx(1e-5) and time.bounds == pytest.approx((0.99e-5, 1.01e-5))


def _set(*path: str | int, to: Any) -> Callable[[Any], None]:
    def change(found: Any) -> None:
        for step in path[:-1]:
            found = found[step]
        found[path[-1]] = to

    return change


def _remove(*path: str | int) -> Callable[[Any], None]:
    def change(found: Any) -> None:
        for step in path[:-1]:
            found = found[step]
        del found[path[-1]]

    return change


RESULT = ("devices", 0, "results", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("format", to="else"), "krnlpy bench"),
        (_set("version", to=2), "version 2"),
        (_set("version", to="1"), "whole number"),
        (_remove("machine"), "lacks 'machine'"),
        (_remove("machine", "cores"), "lacks 'cores'"),
        (_set("date", to=7), "report.date"),
        (_set("date", to="x" * 5000), "4000 characters"),
        (_set("is_quick", to=1), "true or false"),
        (_set("devices", to={}), "expected a list"),
        (_set("devices", to=[1] * 65), "at most 64"),
        (_set("devices", 0, to=[]), r"devices\[0\] is a list"),
        (_set("devices", 0, "index", to=-1), "index"),
        (_set("devices", 0, "memory_bytes", to=1 << 63), "memory_bytes"),
        (_set("devices", 0, "memory_bytes", to=True), "memory_bytes"),
        (_set("versions", to={"a": []}), "versions.a"),
        (_set("versions", to={str(i): "1" for i in range(101)}), "100 members"),
        (_set(*RESULT, "status", to="fast"), "expected one of"),
        (_set(*RESULT, "status", to=[]), "expected one of"),
        (_set(*RESULT, "status", to="failed"), "7 samples"),
        (_set(*RESULT, "samples", to=[]), "0 samples"),
        (_set(*RESULT, "samples", to=[0.0]), "above 0"),
        (_set(*RESULT, "samples", to=[-1.0]), "not negative"),
        (_set(*RESULT, "samples", to=["1"]), "expected a number"),
        (_set(*RESULT, "samples", to=[1.0] * 1001), "at most 1000"),
        (_set(*RESULT, "amount", to=0), "above 0"),
        (_set(*RESULT, "amount", to=1e308), "expected a number"),
        (_set(*RESULT, "configuration", to={"bytes": 1.5}), "whole number"),
        (_set(*RESULT, "share", to="all"), "expected a number"),
    ],
)
def test_what_is_no_report_is_refused(change: Callable[[Any], None], message: str, tmp_path: Path) -> None:
    found = json.loads(json.dumps(results.as_json(fakes.report(fakes.result()))))
    change(found)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(found))
    with pytest.raises(FileError, match=message):
        results.read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[1]",
        b'{"format": "krnlpy bench", "version": NaN}',
        b'{"format": "krnlpy bench", "version": 1' + b"0" * 5000 + b"}",
        b"null",
    ],
)
def test_what_is_not_even_json_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"a\.json"):
        results.read(path)


def test_large_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        results.read(tmp_path / "not there")
    with (tmp_path / "large").open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(FileError, match="more than"):
        results.read(tmp_path / "large")


def test_unknown_fields_are_left_out_and_controls_are_blanks(tmp_path: Path) -> None:
    found = results.as_json(fakes.report(fakes.result()))
    found["later"] = 1
    found["devices"][0]["name"] = "card\x1b[2J"
    (tmp_path / "a.json").write_text(json.dumps(found))
    assert results.read(tmp_path / "a.json").devices[0].name == "card [2J"
