"""The tables in README.md, made from the reports that are committed: ``python -m benches table``.

A section for each kind of machine that was measured: of LeNet5 the tables, of saxpy a line.
"""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benches.report import busy, cpu, duration, is_dirty, replace_text, verdict, warnings
from krnlpy.bench.machine import KINDS

ROOT = Path(__file__).resolve().parents[1]
README, RESULTS = ROOT / "README.md", Path("benches/results")
_PROJECT = ROOT / "pyproject.toml"
BEGIN, END = "<!-- benches: begin (python -m benches table writes this) -->", "<!-- benches: end -->"
TITLES = {"torch": "PyTorch", "torch-cuda": "PyTorch, CUDA", "jax": "JAX", "numpy": "NumPy"}
"""Of the peers that are not called as their packages are."""
_PEERS = ("torch", "jax", "tinygrad")
_BASELINE = ("torch", "host")
"""Whom the README says that ratios refer to; a report's may be to another peer, where this one did not run."""
_ELEMENTS = 1 << 24

Case = Mapping[str, Any]
Measurement = Mapping[str, Any]


def rewrite(check: bool) -> bool:
    """Puts the tables into README.md; with ``check``, only looks. Whether they were there already.

    Raises:
        ValueError: README.md has no place for them, a report is none, or one is of code that was not committed.
    """
    text = README.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README.name} has no lines {BEGIN} and {END}")
    sections = "\n\n".join(section(path) for path in reports())
    wanted = f"{head}{BEGIN}\n{sections}\n{END}{tail}"
    if wanted != text and not check:
        replace_text(README, wanted)
    return wanted == text


def reports() -> list[Path]:
    """The reports of LeNet5, one for each kind of machine that was measured, the best kind first.

    Raises:
        ValueError: there is none.
    """
    kinds = (*KINDS, "other", "unrecorded")
    paths = [ROOT / RESULTS / f"lenet5-{kind}.json" for kind in kinds]
    if found := [path for path in paths if path.exists()]:
        return found
    raise ValueError(f"there are no reports {RESULTS.as_posix()}/lenet5-*.json; CONTRIBUTING.md says how to make one")


def section(path: Path) -> str:
    """What one kind of machine gave: LeNet5's report, and with it saxpy's where there is one."""
    parts = [_caption(report := _read(path), path.name), _tables(report)]
    saxpy = path.with_name(path.name.replace("lenet5", "saxpy"))
    if saxpy.exists():
        parts.append(_saxpy(_read(saxpy), saxpy.name))
    return "\n\n".join(filter(None, parts))


def _read(path: Path) -> Any:
    report = json.loads(path.read_text(encoding="utf-8"))
    if is_dirty(report):
        raise ValueError(
            f"{path.name} was measured of code that was not committed ({report['versions']['krnlpy']}):"
            " commit it, and measure again"
        )
    return report


def _file(name: str) -> str:
    """Where a report lies for whoever reads README, which is PyPI's page too."""
    project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
    return f"{project['urls']['Repository']}/blob/main/{(RESULTS / name).as_posix()}"


def _caption(report: Mapping[str, Any], name: str) -> str:
    """Where and of what it was measured."""
    machine, versions = report["machine"], report["versions"]
    packages = []
    for package in filter(versions.__contains__, _PEERS):
        ways = dict.fromkeys(m["way"] for case in report["cases"] for m in case["measurements"] if m["name"] == package)
        tried = f" ({'; '.join(ways)})" if any(ways) else ""
        packages.append(f"{TITLES.get(package, package)} {versions[package]}{tried}")
    date = datetime.datetime.fromisoformat(report["date"]).date()
    where = f"{cpu(machine)}, {machine['host_threads']} threads on {machine['cores']} cores"
    settings = [f"{variable}={value}" for variable, value in machine.get("settings", {}).items()]
    about = ", ".join([f"krnlpy {versions['krnlpy']}", *packages, *settings])
    lines = [f"_{date}, {where}; {about}; [all figures]({_file(name)})._"]
    return "\n\n".join(lines + [f"**{warning}**" for warning in warnings(report)])


def _tables(report: Mapping[str, Any]) -> str:
    """A table for each kind of work, a row a dtype, a column for each that did it."""
    kinds: dict[str, list[Case]] = {}
    for case in report["cases"]:
        about = [f"{name} {value:,}" for name, value in case["configuration"].items() if name != "dtype"]
        kinds.setdefault(", ".join([case["name"], *about]), []).append(case)
    return "\n\n".join(f"{title}:\n\n{_table(report['machine'], cases)}" for title, cases in kinds.items())


def _table(machine: Mapping[str, Any], cases: Sequence[Case]) -> str:
    rows = [_fastest(case["measurements"]) for case in cases]
    headings = _headings(rows)
    lines = [f"| | {' | '.join(headings.values())} |", f"|---|{'---:|' * len(headings)}"]
    for case, row in zip(cases, rows, strict=True):
        cells = [_cell(machine, case, row.get(column)) for column in headings]
        lines.append(f"| {case['configuration']['dtype']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _fastest(measurements: Iterable[Measurement]) -> dict[tuple[str, str], Measurement]:
    """By name and device: of those that ran in several ways, the fastest."""
    found: dict[tuple[str, str], Measurement] = {}
    for m in measurements:
        who = m["name"], m["device"]
        if who not in found or m["median"] < found[who]["median"]:
            found[who] = m
    return found


def heading(measurement: Measurement) -> str:
    """Who it was, and on what: a Vulkan device by its name, or by its driver where that says the name and more.

    >>> heading({"name": "autograph", "device": "0 llvmpipe (LLVM 15)", "driver": "llvmpipe Mesa 22.3.6 (LLVM 15)"})
    'autograph, llvmpipe Mesa 22.3.6'
    >>> heading({"name": "autograph", "device": "1 NVIDIA H200", "driver": "NVIDIA 570.124.06"})
    'autograph, NVIDIA H200'
    """
    title, device = TITLES.get(measurement["name"], measurement["name"]), measurement["device"]
    if measurement.get("peer"):
        return str(title)
    if device[:1].isdigit():
        name, driver = _short(device.partition(" ")[2]), _short(measurement["driver"])
        device = driver if driver.startswith(name) else name
    return f"{title}, {device}"


def _short(name: str) -> str:
    """A device's or driver's name without what stands in parentheses and without a distribution's own version."""
    return re.sub(r" *[(][^)]*[)]|-[0-9]+~.*$", "", name)


def _headings(rows: Iterable[Mapping[tuple[str, str], Measurement]]) -> dict[tuple[str, str], str]:
    """By name and device. Where two would be the same, as two GPUs of one kind, the devices are named in full."""
    found = {who: heading(m) for row in rows for who, m in row.items()}
    uses = Counter(found.values())
    return {who: text if uses[text] == 1 else ", ".join(who) for who, text in found.items()}


def _cell(machine: Mapping[str, Any], case: Case, measurement: Measurement | None) -> str:
    if measurement is None:
        return "-"
    time = duration(measurement["median"]) + (f", {way}" if (way := measurement["way"]) else "")
    baseline = next((m for m in case["measurements"] if m["label"] == case["baseline"]), None)
    if baseline is None or (baseline["name"], baseline["device"]) != _BASELINE or busy(machine, case):
        return time
    return time + (f" ({words})" if (words := verdict(case, measurement)) else "")


def _saxpy(report: Mapping[str, Any], name: str) -> str:
    """The rates of the host, of the largest case."""
    rates: dict[str, list[str]] = {}
    for case in report["cases"]:
        if case["configuration"]["elements"] != _ELEMENTS or "device" in case["configuration"]:
            continue
        threads = case["configuration"]["threads"]
        threads = report["machine"]["host_threads"] if threads == "all" else threads
        for m in case["measurements"]:
            if m["device"] == "host" and not (m["name"] == "numpy" and m["name"] in rates):  # always on one thread
                title = TITLES.get(m["name"], m["name"]) + (f" ({m['way']})" if m["way"] else "")
                rates.setdefault(m["name"], [title]).append(f"{case['amount'] / m['median']:.0f} on {threads}")
    threads_of = [f"{title} {', '.join(figures)}" for title, *figures in rates.values()]
    line = f"saxpy on {_ELEMENTS / 1e6:.1f} million f32, GB/s by threads: {'; '.join(threads_of)}"
    line += f" ([all figures]({_file(name)}))."
    return "\n\n".join([line, *(f"**{warning}**" for warning in warnings(report))])
