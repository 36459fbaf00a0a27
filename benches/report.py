"""Results as a table for the eye, as JSON for machines, and as Markdown for the README."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benches import environment
from benches.harness import CaseResult
from krnlpy import files


def table(result: CaseResult) -> str:
    """A case's measurements as plain text.

    The ratio is the time by the first peer's time, with what it means in words.
    """
    amount, unit = result.case.amount, result.case.unit
    baseline = result.baseline
    head = ["", "device", "median", "minimum"]
    head += [f"{unit}/s"] if amount else []
    head += [f"time / {baseline.contender.name}'s", ""] if baseline else []
    rows = [head]
    for m in result.measurements:
        row = [m.contender.name, m.contender.device, duration(m.median), duration(m.minimum)]
        if amount:
            row.append(rate(amount / m.median))
        ratio = result.ratio(m)
        if ratio is not None:
            row += [f"{ratio:.2f}", "" if m is baseline else in_words(ratio)]
        rows.append(row)
    facts = [
        f"  {m.contender.label}, an iteration: {', '.join(f'{v:g} {k}' for k, v in m.facts.items())}"
        for m in result.measurements
        if m.facts
    ]
    return "\n".join([result.case.label, *_columns(rows), *facts])


def markdown(report: Mapping[str, Any]) -> str:
    """A JSON report as Markdown: a table a case, a row a contender; above them, where it was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    machine = report["machine"]
    parts = [f"{report['date'][:10]}, {machine['cpu']}, {machine['cores']} cores; {versions}."]
    if busy := busy_warning(machine):
        parts.append(f"**{busy}**")
    for case in report["cases"]:
        configuration = ", ".join(f"{key} {value}" for key, value in case["configuration"].items())
        against = case["baseline"]
        per_second = f" {case['unit']}/s |" if case["amount"] else ""
        lines = [
            f"### {case['name']} ({configuration})",
            "",
            f"| | device | median |{per_second}" + (f" beside {against} |" if against else ""),
            "|---|---|---:|" + ("---:|" if per_second else "") + ("---|" if against else ""),
        ]
        for m in case["measurements"]:
            line = f"| {m['name']} | {m['device']} | {duration(m['median'])} |"
            line += f" {rate(case['amount'] / m['median'])} |" if per_second else ""
            if against:
                line += f" {'' if m['label'] == against else in_words(m['ratio'])} |"
            lines.append(line)
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def as_json(benchmark: str, machine: Mapping[str, Any], results: Sequence[CaseResult]) -> dict[str, Any]:
    """Everything that was measured, and where; times are seconds an iteration.

    ``machine`` is :func:`benches.environment.machine` as it was before the benchmark made the machine busy.
    """
    return {
        "benchmark": benchmark,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": dict(machine),
        "versions": environment.versions(),
        "cases": [_case(result) for result in results],
    }


def busy_warning(machine: Mapping[str, Any]) -> str:
    """What to say where others were using the machine; "" where it was as good as idle.

    Taking turns cancels a slow drift, not a fight for cores: threads that wait for each other by spinning, as those of
    PyTorch's OpenMP, then take a hundred times as long, and others don't.
    """
    if machine["load"] <= 0.25 * machine["cores"]:
        return ""
    return (
        f"The machine was busy before the start (load {machine['load']:g} on {machine['cores']} cores):"
        " these figures and ratios are not to be relied on."
    )


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    """Writes a report."""
    replace_text(path, json.dumps(report, indent=1) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Writes a text; a file that was there stays whole until the new one is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, text.encode())


def duration(seconds: float) -> str:
    """A time with three figures and the unit that suits it.

    >>> duration(0.0123456), duration(2.5e-06)
    ('12.3 ms', '2.5 µs')
    """
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            return f"{seconds * factor:.3g} {unit}" if seconds * factor < 100 else f"{seconds * factor:.0f} {unit}"
    raise AssertionError


def rate(per_second: float) -> str:
    """An amount a second.

    >>> rate(17.034), rate(14321.7)
    ('17.03', '14,322')
    """
    return f"{per_second:.2f}" if per_second < 100 else f"{per_second:,.0f}"


def in_words(ratio: float) -> str:
    """What a ratio of times means.

    >>> in_words(0.5), in_words(3.0)
    ('2.00x faster', '3.00x slower')
    """
    return f"{1 / ratio:.2f}x faster" if ratio < 1 else f"{ratio:.2f}x slower"


def _case(result: CaseResult) -> dict[str, Any]:
    baseline = result.baseline
    return {
        "name": result.case.name,
        "configuration": dict(result.case.configuration),
        "amount": result.case.amount,
        "unit": result.case.unit,
        "baseline": baseline.contender.label if baseline else None,
        "skipped": [{"label": label, "why": why} for label, why in result.skipped],
        "wrong": [{"label": label, "what": what} for label, what in result.wrong],
        "measurements": [
            {
                "label": m.contender.label,
                "name": m.contender.name,
                "device": m.contender.device,
                "driver": m.contender.driver,
                "peer": m.contender.peer,
                "median": m.median,
                "minimum": m.minimum,
                "ratio": result.ratio(m),
                "iterations": m.iterations,
                "samples": list(m.samples),
                "facts": dict(m.facts),
            }
            for m in result.measurements
        ],
    }


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = range(2, len(widths))  # right-aligned
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if i in numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
