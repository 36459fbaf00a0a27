"""Reports as CSV, for spreadsheets: a row for each result of each device."""

from __future__ import annotations

import csv
import io
import os

from krnlpy import files
from krnlpy.bench.results import Report

from .figures import plain

COLUMNS = (
    *("date", "is_quick", "krnlpy", "cpu", "device", "kind", "driver", "benchmark", "revision", "configuration"),
    *("status", "reason", "unit", "figure", "low", "high", "spread", "share", "peak", "others"),
)


def write(path: str | os.PathLike[str], report: Report) -> None:
    """Writes a row a result, below a row of headings; the file is there whole or not at all. ``low`` and ``high`` hold
    the figure with a confidence of 95 %; what was not measured is empty.

    Raises:
        FileError: it can't be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for device in report.devices:
        about = (report.date, report.is_quick, report.krnlpy, report.machine["cpu"], device.label, device.kind)
        for result in device.results:
            timed = (result.value, *result.bounds, result.spread) if result.is_timed else ("",) * 4
            cells = (
                *(*about, device.driver, result.benchmark, result.revision, result.label, result.status),
                *(result.reason, result.unit, *timed, result.share, result.peak, result.others),
            )
            rows.writerow([plain(cell) if isinstance(cell, str) else cell for cell in cells])
    files.write(path, text.getvalue().encode())
