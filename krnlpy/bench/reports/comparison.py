"""Devices side by side: which results can be compared, and how many times as fast one is as another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from krnlpy.bench.measuring import ratio_interval
from krnlpy.bench.results import DeviceResults, Report, Result
from krnlpy.errors import BenchmarkError


@dataclass(frozen=True)
class Column:
    """A device of a report.

    Attributes:
        title: how it is told from the others.
        report: that it is of.
        device: what was measured.
    """

    title: str
    report: Report
    device: DeviceResults


@dataclass(frozen=True)
class Ratio:
    """How many times as fast as the first, and between which numbers that lies with a confidence of at least 90 %."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether one of the two is faster: 1 is not within."""
        return not self.low <= 1 <= self.high


@dataclass(frozen=True)
class Row:
    """A case as each column has it; None where it has no such figure."""

    results: tuple[Result | None, ...]

    @property
    def result(self) -> Result:
        """One of them, which says what was measured."""
        return next(result for result in self.results if result is not None)

    def ratio(self, column: int) -> Ratio | None:
        """A column beside the first; None where one of them has no figure."""
        first, other = self.results[0], self.results[column]
        if first is None or other is None:
            return None
        # Seconds for each of what is counted: a case of a later revision may count another amount.
        slow, fast = ([seconds / r.amount for seconds in r.samples] for r in (first, other))
        low, high = ratio_interval(slow, fast)
        ratio = other.value / first.value
        return Ratio(1 / ratio if first.unit == "s" else ratio, low, high)


@dataclass(frozen=True)
class Comparison:
    """Devices side by side.

    Attributes:
        columns: the first is what the others are compared with.
        rows: cases that at least two columns have figures of.
        alone: cases that only one has a figure of.
        doubts: what speaks against it.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    alone: int
    doubts: tuple[str, ...]

    def mean(self, column: int) -> float | None:
        """The geometric mean of the ratios of a column, each benchmark counted once; None without any."""
        logs: dict[str, list[float]] = {}
        for row in self.rows:
            ratio = row.ratio(column)
            if ratio is not None:
                logs.setdefault(row.result.benchmark, []).append(math.log(ratio.value))
        means = [sum(values) / len(values) for values in logs.values()]
        return math.exp(sum(means) / len(means)) if means else None


def compare(reports: Sequence[tuple[str, Report]], wanted: str = "", anyway: bool = False) -> Comparison:
    """Puts the devices of reports side by side.

    Args:
        reports: each with the name of its file.
        wanted: a part of the names of the devices that are meant; "" for all.
        anyway: compare what is not comparable, too; the reasons become doubts.

    Raises:
        BenchmarkError: there are fewer than two devices, or no case that two of them have; or they are not comparable.
    """
    found = columns(reports, wanted)
    if len(found) < 2:
        there = ", ".join(device.label for _, report in reports for device in report.devices)
        raise BenchmarkError(f"a comparison takes two devices or more; there are: {there or 'none'}")
    doubts = _doubts(found)
    rows, alone, revised = _rows(found)
    if revised:
        doubts.append(f"the meaning of these benchmarks has changed between the reports: {', '.join(revised)}")
    if doubts and not anyway:
        raise BenchmarkError(f"{'; '.join(doubts)}. Choose by --device, or say --anyway")
    if not rows:
        raise BenchmarkError("no case was measured on two of the devices: were the same benchmarks run?")
    doubts += [f"{column.title}: {warning}" for column in found for warning in column.report.warnings_of(column.device)]
    return Comparison(found, rows, alone, tuple(dict.fromkeys(doubts)))


def columns(reports: Sequence[tuple[str, Report]], wanted: str = "") -> tuple[Column, ...]:
    """The devices of reports, each with a title that no other has: its label, with its driver or its file where needed.

    Args:
        reports: each with the name of its file.
        wanted: a part of the labels of the devices that are meant.
    """
    found = [
        (PurePath(name).stem, report, device)
        for name, report in reports
        for device in report.devices
        if wanted.lower() in device.label.lower()
    ]
    ways = (
        [device.label for _, _, device in found],
        [f"{device.label} ({name})" for name, _, device in found],
        [f"{device.label}, {device.driver}" for _, _, device in found],
        [f"{device.label}, {device.driver} ({name})" for name, _, device in found],
        [f"{device.label} (device {place + 1})" for place, (_, _, device) in enumerate(found)],
    )
    titles = next(way for way in ways if len(set(way)) == len(way))
    return tuple(Column(title, report, device) for title, (_, report, device) in zip(titles, found, strict=True))


def _doubts(columns: Sequence[Column]) -> list[str]:
    found = []
    quick = [column.report.is_quick for column in columns]
    if any(quick) and not all(quick):
        found.append(f"{columns[quick.index(True)].title} is of a quick run, {columns[quick.index(False)].title} not")
    kinds = [column.device.kind for column in columns]
    if "cpu" in kinds and set(kinds) != {"cpu"}:
        other = next(column for column in columns if column.device.kind != "cpu")
        found.append(
            f"{columns[kinds.index('cpu')].title} is a Vulkan driver that runs on the CPU, {other.title} is not:"
            " what such a driver takes says nothing of any GPU"
        )
    return found


def _rows(columns: Sequence[Column]) -> tuple[tuple[Row, ...], int, list[str]]:
    timed = [{r.key: r for r in column.device.results if r.is_timed} for column in columns]
    keys = dict.fromkeys(key for results in timed for key in results)
    rows, alone, revised = [], 0, []
    for key in keys:
        found = tuple(results.get(key) for results in timed)
        there = [result for result in found if result is not None]
        if len(there) < 2:
            alone += 1
            continue
        if len({(result.revision, result.unit) for result in there}) > 1:
            revised.append(key[0])
        if len({result.unit for result in there}) == 1:
            rows.append(Row(found))
    return tuple(rows), alone, list(dict.fromkeys(revised))
