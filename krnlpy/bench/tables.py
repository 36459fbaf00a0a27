"""Reports as tables for terminals, and figures in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .results import DeviceResults, Report, Result

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def figure(value: float, unit: str) -> str:
    """A figure with three digits and the unit that suits it.

    >>> figure(2.5e9, "B/s"), figure(1.234e-5, "s"), figure(1234.0, "images/s"), figure(2e7, "images/s")
    ('2.5 GB/s', '12.3 µs', '1234 images/s', '20 M images/s')
    """
    if unit == "s":
        return _scaled(value, _TIMES)
    if unit in ("B/s", "FLOP/s"):
        return _scaled(value, tuple((factor, prefix + unit) for factor, prefix in _PREFIXES))
    if value >= 1e6:
        return _scaled(value, tuple((factor, f"{prefix} {unit}") for factor, prefix in _PREFIXES))
    return f"{value:.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"


def _scaled(value: float, units: Iterable[tuple[float, str]]) -> str:
    rounded = float(f"{value:.3g}")
    *_, smallest = units
    factor, unit = next(((factor, unit) for factor, unit in units if rounded >= factor), smallest)
    return f"{float(f'{rounded / factor:.3g}'):g} {unit}"


def share(result: Result) -> str:
    """Of the device's peak, or ""."""
    return "" if result.share is None else f"{result.share:.0%}"


def remark(result: Result) -> str:
    """What is to be said of a result that is not steady.

    >>> remark(Result("copy", 1, {}, "failed", "B/s", 1.0, "OSError: no"))
    'failed: OSError: no'
    """
    return "" if result.status == "steady" else ": ".join(filter(None, [result.status, result.reason]))


def device_table(device: DeviceResults) -> Table:
    """What was measured on a device."""
    from rich.table import Table

    table = Table(title=f"{device.label} ({device.driver})", title_justify="left", title_style="bold")
    for heading in ("benchmark", "", "figure", "spread", "of peak", "remark"):
        right = heading in ("figure", "spread", "of peak")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading != "remark")
    before = ""
    for result in device.results:
        name = "" if result.benchmark == before else result.benchmark
        before = result.benchmark
        figures = (figure(result.value, result.unit), f"{result.spread:.1%}") if result.is_timed else ("-", "")
        table.add_row(name, result.label, *figures, share(result), remark(result))
    return table


def tables(report: Report) -> list[RenderableType]:
    """A whole report: where it was measured, a table a device, and what speaks against it."""
    from rich.text import Text

    machine = report.machine
    kind = "quick run, " if report.is_quick else ""
    head = (
        f"{report.date}, {kind}krnlpy {report.krnlpy}; {machine['cpu']} ({', '.join(machine['instructions'])}),"
        f" {machine['host_threads']} threads on {machine['cores']} processors, load {machine['load']:g}"
    )
    found: list[RenderableType] = [Text(head)]
    found += [device_table(device) for device in report.devices]
    found += [Text(f"warning: {warning}", style="yellow") for warning in report.warnings]
    return found
