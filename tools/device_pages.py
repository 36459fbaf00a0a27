"""The site's page of devices that people measured with ``krnlpy bench``: the reports in benches/results/devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from krnlpy.bench import results
from krnlpy.bench.reports.figures import conditions, figure
from krnlpy.bench.reports.markdown import cell, table
from krnlpy.bench.results import DeviceResults, Report, Result

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benches/results/devices"

_TEXT = """# Devices that people measured

A full run of [`krnlpy bench`](krnlpy-bench.md) for each: the same kernels on all, each result verified before it was
timed. A figure is the best of all sizes; the report has each with its spread. *Driver on the CPU* marks Vulkan drivers
that need no GPU: their figures say nothing of any GPU. What speaks against a report stands below its table.
`krnlpy bench submit` makes yours ready to be sent.
"""


class _Column(NamedTuple):
    """A figure of the table: the best of the results that are meant."""

    heading: str
    benchmark: str
    of: Callable[[Result], bool]


def _with(**wanted: str) -> Callable[[Result], bool]:
    return lambda result: wanted.items() <= result.configuration.items()


def _large(result: Result) -> bool:
    return int(result.configuration["bytes"]) >= 64 << 20  # fits few caches


_COLUMNS = (
    _Column("copy", "copy", _large),
    _Column("fma f32", "fma", _with(dtype="f32")),
    _Column("matmul f32", "matmul", _with(dtype="f32")),
    _Column("matmul f16", "matmul", _with(dtype="f16")),
    _Column("matmul bf16", "matmul", _with(dtype="bf16")),
    _Column("launch", "launch", _with()),
    _Column("LeNet5 training, f32", "lenet5", _with(dtype="f32", **{"pass": "training"})),
    _Column("ResNet-20 training, f32", "resnet20", _with(dtype="f32", **{"pass": "training"})),
)


def page(folder: Path = FOLDER) -> str:
    """The page, in Markdown: a section a vendor.

    Raises:
        FileError: a report is none.
    """
    parts = [_TEXT]
    for vendor in sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ():
        reports = [(path, results.read(path)) for path in sorted(vendor.glob("*.json"))]
        found = [(path, report, device) for path, report in reports for device in report.devices]
        if not found:
            continue
        parts.append(f"## {cell(next((device.vendor for _, _, device in found if device.vendor), vendor.name))}")
        parts.append(
            table(["device", *(c.heading for c in _COLUMNS), "date", "krnlpy"], [_row(*each) for each in found])
        )
        parts += [_about(path, report, device) for path, report, device in found]
    return "\n\n".join(parts)


def _title(report: Report, device: DeviceResults) -> str:
    return str(report.machine["cpu"]) if device.kind == "host" else device.name


def _row(path: Path, report: Report, device: DeviceResults) -> list[str]:
    kind = {"host": "host", "cpu": "driver on the CPU"}.get(device.kind, device.kind)
    name = f"{cell(_title(report, device))} ({kind})"
    return [name, *(_best(device.results, column) for column in _COLUMNS), report.date[:10], cell(report.krnlpy)]


def _best(found: Sequence[Result], column: _Column) -> str:
    timed = [r for r in found if r.benchmark == column.benchmark and r.is_timed and column.of(r)]
    if not timed:
        return "-"
    choose = min if timed[0].unit == "s" else max
    best = choose(timed, key=lambda result: result.value)
    return figure(best.value, best.unit) + ("" if best.status == "steady" else " (not steady)")


def _about(path: Path, report: Report, device: DeviceResults) -> str:
    """A line, and what speaks against the figures."""
    on = f"on {report.machine['cpu']}, {report.machine['cores']} processors, {report.machine['system']}"
    said = "; ".join(filter(None, [device.driver, conditions(device), on]))
    link = f"../{path.relative_to(ROOT).as_posix()}" if path.is_relative_to(ROOT) else path.name
    lines = [f"- {cell(_title(report, device))}: {cell(said)} ([report]({link}))"]
    lines += [f"    - {cell(warning)}" for warning in report.warnings]
    return "\n".join(lines)
