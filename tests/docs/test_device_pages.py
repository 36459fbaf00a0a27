"""The page of devices that people measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from krnlpy.bench import results
from krnlpy.bench.reports import submission
from krnlpy.errors import FileError
from tests.bench import fakes
from tools import device_pages


def test_the_reports_that_are_here_are_whole() -> None:
    """Each was made by ``submit``, of a full run in which nothing was wrong, and the page shows it."""
    text = device_pages.page()
    paths = sorted(device_pages.FOLDER.rglob("*.json"))
    assert paths
    for path in paths:
        report = results.read(path)
        assert not report.is_quick and len(report.devices) == 1
        assert not [r for r in report.devices[0].results if r.status in ("wrong", "failed")]
        assert path.relative_to(device_pages.ROOT).as_posix() in text


def test_a_section_a_vendor_with_the_best_of_each(tmp_path: Path) -> None:
    copies = [
        fakes.result("copy", seconds, size) for seconds, size in ((1e-6, 4 << 20), (0.01, 64 << 20), (0.02, 256 << 20))
    ]
    launch = fakes.result("launch", unit="s", seconds=1e-5, amount=1.0, status="not steady")
    report = fakes.report(*copies, launch, name="card [x](y)", warnings=("it was hot",))
    driver = replace(report.devices[0], name="pipe", kind="cpu", vendor="Mesa")
    submission.submit(replace(report, devices=(report.devices[0], driver)), tmp_path)
    text = device_pages.page(tmp_path)
    assert text.index("## maker") < text.index("## Mesa")
    assert r"| card \[x\](y) (discrete) | 13.4 GB/s | - | - | - | - | 10 µs (not steady) |" in text
    assert "| pipe (driver on the CPU) |" in text and "    - it was hot" in text


def test_what_is_no_report_ends_the_page(tmp_path: Path) -> None:
    (tmp_path / "maker").mkdir()
    (tmp_path / "maker" / "a.json").write_text("{}")
    with pytest.raises(FileError):
        device_pages.page(tmp_path)
    assert device_pages.page(tmp_path / "not there").startswith("# Devices")
