"""Reports as CSV, pages, Markdown, comparisons and submissions."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from krnlpy.bench import results
from krnlpy.bench.reports import comparison, markdown, page, spreadsheet, submission
from krnlpy.bench.reports.comparison import compare
from krnlpy.bench.results import Report
from krnlpy.errors import BenchmarkError

from . import fakes

EVIL = "<script>alert(1)</script>|`=x`\"'&"
UNTIMED = fakes.result("sum", status="unsupported", reason=f"it lacks {EVIL}", samples=(), iterations=0, share=None)


def evil() -> Report:
    """One whose every text is hostile."""
    return fakes.report(fakes.result(), UNTIMED, name=EVIL, warnings=(f"beware of {EVIL}",))


def test_a_spreadsheet_has_a_row_for_each_result(tmp_path: Path) -> None:
    formula = replace(evil().devices[0], name="=cmd()")
    spreadsheet.write(tmp_path / "a.csv", replace(evil(), devices=(formula,)))
    with (tmp_path / "a.csv").open(newline="") as file:
        timed, untimed = csv.DictReader(file)
    assert float(timed["figure"]) == pytest.approx(1e6) and float(timed["low"]) < 1e6 < float(timed["high"])
    assert (untimed["figure"], untimed["reason"]) == ("", UNTIMED.reason)
    assert timed["device"] == "'=cmd()"


class Read(HTMLParser):
    """What a page shows, and which elements it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_page_shows_all_and_needs_nothing(tmp_path: Path) -> None:
    page.write(tmp_path / "a.html", evil())
    text = (tmp_path / "a.html").read_text()
    read = Read(text)
    said = " ".join(read.texts)
    assert EVIL in said and UNTIMED.reason in said and "1 MB/s" in said
    assert "script" not in read.tags and not {name for name, _ in read.attributes} & {"src", "href", "onload"}
    assert not re.search(r"https?:|@import|url\(", text)


def test_bars_have_one_scale(tmp_path: Path) -> None:
    page.write(tmp_path / "a.html", fakes.report(fakes.result(seconds=0.001), fakes.result(seconds=0.004, size=999)))
    widths = re.findall(r'class="bar" style="width:([\d.]+)%', (tmp_path / "a.html").read_text())
    wide, narrow = map(float, widths)
    assert narrow / wide == pytest.approx(0.999 / 4, rel=1e-3) and wide <= 100


def two(**other: Any) -> list[tuple[str, Report]]:
    """Reports of two devices, the second twice as fast."""
    rate = fakes.result("copy", seconds=0.001), fakes.result("copy", seconds=0.0005)
    time = fakes.result("launch", unit="s", seconds=1e-5), fakes.result("launch", unit="s", seconds=2e-5)
    only = fakes.result("copy", size=77)
    first = fakes.report(rate[0], time[0], UNTIMED, only, name="old")
    return [("a.json", first), ("b.json", replace(fakes.report(rate[1], time[1], UNTIMED, name="new"), **other))]


def test_a_comparison_says_how_many_times_as_fast() -> None:
    found = compare(two())
    rate, time = (row.ratio(1) for row in found.rows)
    assert rate is not None and time is not None
    assert rate.value == pytest.approx(2) and time.value == pytest.approx(0.5)
    assert rate.low == pytest.approx(2 / 1.01 * 0.99) and rate.high == pytest.approx(2 / 0.99 * 1.01)
    assert time.is_clear and time.high < 1
    assert found.alone == 1 and found.mean(1) == pytest.approx(1) and found.mean(0) == pytest.approx(1)


def test_titles_tell_devices_apart() -> None:
    (_, first), (_, second) = two()
    same = replace(second, devices=first.devices)
    assert [c.title for c in comparison.columns([("x/a.json", first), ("b.json", same)])] == ["old (a)", "old (b)"]
    other = replace(first.devices[0], driver="driver 2.0")
    twins = replace(first, devices=(first.devices[0], other))
    assert [c.title for c in comparison.columns([("a", twins)])] == ["old, driver 1.0", "old, driver 2.0"]
    assert [c.title for c in comparison.columns(two(), "NE")] == ["new"]


def _revised() -> list[tuple[str, Report]]:
    reports = two()
    (device,) = reports[1][1].devices
    changed = tuple(replace(result, revision=2) for result in device.results)
    return [reports[0], ("b", replace(reports[1][1], devices=(replace(device, results=changed),)))]


def _kind(kind: str) -> list[tuple[str, Report]]:
    reports = two()
    return [reports[0], ("b", replace(reports[1][1], devices=(replace(reports[1][1].devices[0], kind=kind),)))]


@pytest.mark.parametrize(
    ("reports", "message"),
    [
        (two(is_quick=True), "new is of a quick run, old not"),
        (_kind("cpu"), "new is a Vulkan driver that runs on the CPU, old is not"),
        (_revised(), "the meaning of these benchmarks has changed .*: copy, launch"),
    ],
)
def test_what_is_not_comparable_is_refused_unless_told(reports: list[tuple[str, Report]], message: str) -> None:
    with pytest.raises(BenchmarkError, match=f"{message}.*--anyway"):
        compare(reports)
    found = compare(reports, anyway=True)
    assert re.search(message, found.doubts[0]) and len(found.rows) == 2


def test_a_comparison_of_nothing_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="two devices or more; there are: old"):
        compare(two()[:1])
    with pytest.raises(BenchmarkError, match="two devices or more"):
        compare(two(), "old")
    other = fakes.report(fakes.result("copy", size=5))
    with pytest.raises(BenchmarkError, match="no case was measured on two"):
        compare([("a", two()[0][1]), ("b", other)], anyway=True)
    unit = fakes.report(fakes.result("copy", unit="s"), name="new")
    with pytest.raises(BenchmarkError, match="no case was measured on two"):
        compare([("a", two()[0][1]), ("b", unit)], anyway=True)


def test_a_page_compares(tmp_path: Path) -> None:
    page.write_comparison(tmp_path / "a.html", compare(two()))
    said = " ".join(Read((tmp_path / "a.html").read_text()).texts)
    assert "times as fast as old" in said and "2 (1.96 to 2.04)" in said and "less is better" in said


def test_markdown_holds_no_markup_of_others() -> None:
    text = markdown.device_table(evil().devices[0])
    assert len(text.splitlines()) == 4 and r"\<script\>" in text
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 7 for line in text.splitlines())


def test_a_submission_is_a_file_for_each_device(tmp_path: Path) -> None:
    host = replace(two()[0][1].devices[0], index=None, kind="host", backend="host", name="abacus")
    report = replace(two()[0][1], devices=(two()[0][1].devices[0], host), warnings=("old is slow", "host is busy"))
    sent = submission.submit(report, tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in sent.files]
    assert names == ["maker/old-driver-1-0-2026-11-30.json", "unknown/abacus-host-driver-1-0-2026-11-30.json"]
    first, second = map(results.read, sent.files)
    assert (first.warnings, second.warnings) == (("old is slow",), ("host is busy",))
    assert sent.title == "Measure old, abacus (host)" and "1 MB/s" in sent.text


def test_names_of_files_come_from_nobody(tmp_path: Path) -> None:
    device = replace(fakes.report(fakes.result()).devices[0], vendor="../..", name="/etc/passwd\x00", driver="..")
    (path,) = submission.submit(replace(fakes.report(), devices=(device,)), tmp_path).files
    assert path.relative_to(tmp_path).parts == ("unknown", "etc-passwd-unknown-2026-11-30.json")


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (fakes.report(fakes.result(), is_quick=True), "quick run"),
        (fakes.report(fakes.result(), replace(UNTIMED, status="wrong")), "computes sum .* wrongly"),
        (fakes.report(UNTIMED), "nothing was timed"),
        (replace(fakes.report(), devices=()), "no devices"),
    ],
)
def test_what_nobody_should_send_is_refused(report: Report, message: str, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=message):
        submission.submit(report, tmp_path)
    assert not list(tmp_path.iterdir())
