"""Results as a table for the eye, as JSON for machines, and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benches.harness import CaseResult
from krnlpy import files
from krnlpy.bench.machine import BUSY_LOAD, BUSY_OTHERS
from krnlpy.columns import in_columns


def as_json(benchmark: str, about: Mapping[str, Any], cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Everything that was measured, and where.

    Args:
        benchmark: its name.
        about: :func:`benches.environment.describe` as it was before the benchmark made the machine busy.
        cases: of :func:`case_as_json`.
    """
    return {"benchmark": benchmark, **about, "cases": list(cases)}


def case_as_json(result: CaseResult) -> dict[str, Any]:
    """What was measured of a case; times are seconds an iteration."""
    baseline = result.baseline
    return {
        "name": result.case.name,
        "configuration": dict(result.case.configuration),
        "amount": result.case.amount,
        "unit": result.case.unit,
        "baseline": baseline.contender.label if baseline else None,
        "others": result.others,
        "skipped": [{"label": label, "why": why} for label, why in result.skipped],
        "wrong": [{"label": label, "what": what} for label, what in result.wrong],
        "measurements": [
            {
                "label": m.contender.label,
                "name": m.contender.name,
                "way": m.contender.way,
                "device": m.contender.device,
                "driver": m.contender.driver,
                "peer": m.contender.peer,
                "median": m.median,
                "minimum": m.minimum,
                "quartiles": list(m.quartiles),
                "iterations": m.iterations,
                "samples": list(m.samples),
                "facts": dict(m.facts),
            }
            for m in result.measurements
        ],
    }


def table(machine: Mapping[str, Any], case: Mapping[str, Any]) -> str:
    """A case's measurements as plain text, each with what its time means beside the baseline's."""
    amount, unit = case["amount"], case["unit"]
    against = "" if busy(machine, case) else case["baseline"]
    head = ["", "device", "median", "quartiles", "minimum"]
    head += [f"{unit}/s"] if amount else []
    head += [f"beside {against}"] if against else []
    rows = [head]
    for m in case["measurements"]:
        times = [duration(m["median"]), " - ".join(map(duration, m["quartiles"])), duration(m["minimum"])]
        row = [_title(m), m["device"], *times]
        row += [rate(amount / m["median"])] if amount else []
        row += [verdict(case, m)] if against else []
        rows.append(row)
    facts = [
        f"  {m['label']}, an iteration: {', '.join(f'{v:g} {k}' for k, v in m['facts'].items())}"
        for m in case["measurements"]
        if m["facts"]
    ]
    configuration = ", ".join(f"{key} {value}" for key, value in case["configuration"].items())
    warning = [f"  {reason}" for reason in [busy(machine, case)] if reason]
    return "\n".join([f"{case['name']} ({configuration})", *_columns(rows), *facts, *warning])


def markdown(report: Mapping[str, Any]) -> str:
    """A JSON report as Markdown: a table a case, a row a contender; above them, where it was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    machine = report["machine"]
    parts = [f"{report['date'][:10]}, {cpu(machine)}, {machine['cores']} cores; {versions}."]
    parts += [f"**{warning}**" for warning in warnings(report)]
    for case in report["cases"]:
        configuration = ", ".join(f"{key} {value}" for key, value in case["configuration"].items())
        against = "" if busy(machine, case) else case["baseline"]
        per_second = f" {case['unit']}/s |" if case["amount"] else ""
        lines = [
            f"### {case['name']} ({configuration})",
            "",
            f"| | device | median |{per_second}" + (f" beside {against} |" if against else ""),
            "|---|---|---:|" + ("---:|" if per_second else "") + ("---|" if against else ""),
        ]
        for m in case["measurements"]:
            line = f"| {_title(m)} | {m['device']} | {duration(m['median'])} |"
            line += f" {rate(case['amount'] / m['median'])} |" if per_second else ""
            line += f" {verdict(case, m)} |" if against else ""
            lines.append(line)
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def cpu(machine: Mapping[str, Any]) -> str:
    """The CPU's model and instructions, so far as the report says.

    >>> cpu({"cpu": "A CPU", "instructions": ["AVX2", "AVX-512"]})
    'A CPU (AVX2, AVX-512)'
    >>> cpu({"cpu": "A CPU"})
    'A CPU (instructions not recorded)'
    """
    if "instructions" not in machine:
        return f"{machine['cpu']} (instructions not recorded)"
    return f"{machine['cpu']} ({', '.join(machine['instructions'])})"


def warnings(report: Mapping[str, Any]) -> list[str]:
    """What speaks against a report: a busy machine, and code that no commit has."""
    reasons = [busy(report["machine"], case) for case in report["cases"]]
    if is_dirty(report):
        reasons.append(f"Measured of code that was not committed ({report['versions']['krnlpy']}).")
    return list(dict.fromkeys(filter(None, reasons)))


def is_dirty(report: Mapping[str, Any]) -> bool:
    """Whether the code differed from its commit."""
    return str(report["versions"]["krnlpy"]).endswith("+")


def busy(machine: Mapping[str, Any], case: Mapping[str, Any] | None = None) -> str:
    """Why there is no verdict: others were using the machine, before the start or during the case; "" if none did.

    Taking turns cancels a slow drift, not a fight for cores: threads that wait for each other by spinning, as those of
    PyTorch's OpenMP, then take a hundred times as long, and others don't.
    """
    if machine["load"] > BUSY_LOAD * machine["cores"]:
        what = f"before the start (load {machine['load']:g} on {machine['cores']} cores)"
    elif case is not None and (case.get("others") or 0) > BUSY_OTHERS:
        what = f"during {case['name']} (others took {case['others']:.2f} of {machine['cores']} cores)"
    else:
        return ""
    return f"The machine was busy {what}: these times are not to be relied on, and there is no verdict."


def verdict(case: Mapping[str, Any], measurement: Mapping[str, Any]) -> str:
    """What a time means beside the baseline's; "" for the baseline, and where there is none.

    The ratio is that of the two times as they are shown. Where it could as well be chance, it is "as fast": half of the
    samples of each lie between its quartiles, and these overlap.
    """
    baseline = next((m for m in case["measurements"] if m["label"] == case["baseline"]), None)
    if baseline is None or measurement is baseline:
        return ""
    (low, high), (baseline_low, baseline_high) = measurement["quartiles"], baseline["quartiles"]
    if low <= baseline_high and baseline_low <= high:
        return "as fast"
    return in_words(shown(measurement["median"]) / shown(baseline["median"]))


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    """Writes a report."""
    replace_text(path, json.dumps(report, indent=1) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Writes a text; a file that was there stays whole until the new one is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, text.encode())


def shown(seconds: float) -> float:
    """A time as it is shown, with three figures.

    >>> shown(0.0123456)
    0.0123
    """
    return float(f"{seconds:.3g}")


def duration(seconds: float) -> str:
    """A time with three figures and the unit that suits it.

    >>> duration(0.0123456), duration(2.5e-06)
    ('12.3 ms', '2.5 µs')
    """
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if (number := float(f"{shown(seconds) * factor:.3g}")) >= 1 or unit == "µs":
            return f"{number:g} {unit}"
    raise AssertionError


def rate(per_second: float) -> str:
    """An amount a second.

    >>> rate(17.034), rate(14321.7)
    ('17.03', '14,322')
    """
    return f"{per_second:.2f}" if per_second < 100 else f"{per_second:,.0f}"


def in_words(ratio: float) -> str:
    """What a ratio of times means, with three figures, as times have.

    >>> in_words(0.5), in_words(1.001), in_words(114.9)
    ('2.00x faster', 'as fast', '115x slower')
    """
    factor, word = (1 / ratio, "faster") if ratio < 1 else (ratio, "slower")
    if factor < 1.005:
        return "as fast"
    return (f"{factor:#.3g}" if factor < 99.95 else f"{factor:,.0f}") + f"x {word}"


def _title(measurement: Mapping[str, Any]) -> str:
    name, way = measurement["name"], measurement["way"]
    return f"{name} ({way})" if way else str(name)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"  {line}" for line in in_columns(rows, right=range(2, len(rows[0])))]
