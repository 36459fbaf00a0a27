"""Reports as tables for terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from krnlpy.bench.results import DeviceResults, Report

from .comparison import Comparison
from .figures import compared, conditions, figure, measured_on, remark, share, times

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def device_table(device: DeviceResults) -> Table:
    """What was measured on a device."""
    from rich.table import Table

    title = "; ".join(filter(None, [f"{device.label} ({device.driver})", conditions(device)]))
    table = Table(title=title, title_justify="left", title_style="bold")
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

    found: list[RenderableType] = [Text(measured_on(report))]
    found += [device_table(device) for device in report.devices]
    found += [Text(f"warning: {warning}", style="yellow") for warning in report.warnings]
    return found


def comparison_tables(comparison: Comparison) -> list[RenderableType]:
    """Devices side by side: figures, and how many times as fast each is as the first."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"beside {comparison.columns[0].title}", title_justify="left", title_style="bold")
    table.add_column("benchmark", no_wrap=True)
    table.add_column("")
    for place, column in enumerate(comparison.columns):
        table.add_column(column.title, justify="right")
        if place:
            table.add_column("times as fast", justify="right")
    before = ""
    for row in comparison.rows:
        result = row.result
        cells = ["" if result.benchmark == before else result.benchmark, result.label]
        before = result.benchmark
        for place, there in enumerate(row.results):
            cells.append("-" if there is None else figure(there.value, there.unit))
            if place:
                cells.append(compared(row.ratio(place)))
        table.add_row(*cells)
    table.add_section()
    cells = ["geometric mean", "of the benchmarks'", ""]
    for place in range(1, len(comparison.columns)):
        mean = comparison.mean(place)
        cells += ["", "" if mean is None else times(mean)]
    table.add_row(*cells)
    found: list[RenderableType] = [Text(f"{c.title}: {measured_on(c.report)}") for c in comparison.columns]
    found.append(table)
    if comparison.alone:
        found.append(Text(f"{comparison.alone} cases were measured on one of the devices only, and are left out."))
    found += [Text(f"warning: {doubt}", style="yellow") for doubt in comparison.doubts]
    return found
