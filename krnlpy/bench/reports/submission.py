"""Reports that people send: a file for each device, and the text of a pull request."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from krnlpy.bench import results
from krnlpy.bench.results import DeviceResults, Report
from krnlpy.errors import BenchmarkError

from .figures import conditions, measured_on
from .markdown import cell, device_table

FOLDER = "benches/results/devices"
"""In the repository: a folder a vendor."""


@dataclass(frozen=True)
class Submission:
    """What is sent.

    Attributes:
        files: what was written.
        title: of the pull request. text: of it, in Markdown.
    """

    files: tuple[Path, ...]
    title: str
    text: str


def submit(report: Report, folder: str | os.PathLike[str]) -> Submission:
    """Writes a report of each device below a folder, and says what is to be written beside.

    Raises:
        BenchmarkError: the run was a quick one, a result is wrong, or none was timed.
        FileError: a file can't be written.
    """
    if report.is_quick:
        raise BenchmarkError("this is a quick run, whose figures are less sure: run `krnlpy bench` without --quick")
    for device in report.devices:
        wrong = [result for result in device.results if result.status == "wrong"]
        if wrong:
            raise BenchmarkError(
                f"{device.label} computes {wrong[0].benchmark} {wrong[0].label} wrongly ({wrong[0].reason}): please"
                " file an issue with the report"
            )
        if not any(result.is_timed for result in device.results):
            raise BenchmarkError(f"nothing was timed on {device.label}")
    if not report.devices:
        raise BenchmarkError("the report has no devices")
    written = []
    for device in report.devices:
        name = "-".join((slug(_title(report, device)), slug(device.driver), report.date[:10]))
        path = Path(folder) / slug(_maker(report, device)) / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        results.write(path, replace(report, devices=(device,), warnings=report.warnings_of(device)))
        written.append(path)
    names = ", ".join(dict.fromkeys(_title(report, device) for device in report.devices))
    parts = [
        f"Measured by `krnlpy bench`: {cell(measured_on(report))}.",
        *(f"> {cell(warning)}" for warning in report.warnings),
        *(f"### {cell(_title(report, d))}\n\n{cell(_about(d))}\n\n{device_table(d)}" for d in report.devices),
        f"The files belong into `{FOLDER}/`. They name the CPU, the system's version, and variables that limit threads;"
        " neither the user nor the computer.",
    ]
    return Submission(tuple(written), f"Measure {names}", "\n\n".join(parts) + "\n")


def slug(text: str) -> str:
    """A text as the name of a file.

    >>> slug("NVIDIA GeForce RTX 4090 (x)"), slug("../..")
    ('nvidia-geforce-rtx-4090-x', 'unknown')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:50].strip("-") or "unknown"


def _title(report: Report, device: DeviceResults) -> str:
    """The host's backend has no name of its own: it is its CPU."""
    return f"{report.machine['cpu']} (host)" if device.kind == "host" else device.name


def _maker(report: Report, device: DeviceResults) -> str:
    if device.kind != "host":
        return device.vendor
    return next(
        (name for name in ("AMD", "Intel", "Apple", "ARM") if name.lower() in report.machine["cpu"].lower()), ""
    )


def _about(device: DeviceResults) -> str:
    return "; ".join(filter(None, [device.driver, conditions(device)]))
