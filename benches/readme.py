"""The tables of LeNet5's times in README.md, made from the report that is committed: ``python -m benches table``."""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benches.report import busy_warning, duration, in_words, replace_text

ROOT = Path(__file__).resolve().parents[1]
README, REPORT = ROOT / "README.md", Path("benches/results/lenet5.json")
BEGIN, END = "<!-- benches: begin (python -m benches table writes this) -->", "<!-- benches: end -->"
TITLES = {"torch": "PyTorch", "torch-cuda": "PyTorch, CUDA", "jax": "JAX"}
"""Of the peers that are not called as their packages are."""
_PEERS = ("torch", "jax", "tinygrad")
_BASELINE = "torch on host"
"""What the README says that ratios refer to; a report's may be to another peer, where this one did not run."""


def rewrite(check: bool) -> bool:
    """Puts the tables into README.md; with ``check``, only looks. Whether they were there already.

    Raises:
        ValueError: README.md has no place for them, or the report is none.
    """
    text = README.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README.name} has no lines {BEGIN} and {END}")
    report = json.loads((ROOT / REPORT).read_text(encoding="utf-8"))
    wanted = f"{head}{BEGIN}\n{tables(report)}\n{END}{tail}"
    if wanted != text and not check:
        replace_text(README, wanted)
    return wanted == text


def tables(report: Mapping[str, Any]) -> str:
    """A table for each kind of work, a row a dtype, a column a contender; before them, where it was measured."""
    machine, versions = report["machine"], report["versions"]
    packages = ", ".join(f"{TITLES.get(name, name)} {versions[name]}" for name in _PEERS if name in versions)
    date = datetime.datetime.fromisoformat(report["date"]).date()
    parts = [f"_{date}, {machine['cpu']}, {machine['cores']} cores; {packages}; [all figures]._"]
    if busy := busy_warning(machine):
        parts.append(f"**{busy}**")
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for case in report["cases"]:
        about = [f"{name} {value:,}" for name, value in case["configuration"].items() if name != "dtype"]
        kinds.setdefault(", ".join([case["name"], *about]), []).append(case)
    for title, cases in kinds.items():
        parts += [f"{title}:", _table(cases)]
    return "\n\n".join(parts)


def _table(cases: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(m["label"] for case in cases for m in case["measurements"]))
    lines = [
        f"| | {' | '.join(_headings(cases)[label] for label in columns)} |",
        f"|---|{'---:|' * len(columns)}",
    ]
    for case in cases:
        found = {m["label"]: m for m in case["measurements"]}
        cells = [_cell(found.get(label), case["baseline"]) for label in columns]
        lines.append(f"| {case['configuration']['dtype']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def heading(measurement: Mapping[str, Any]) -> str:
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


def _headings(cases: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By label. Where two would be the same, as two GPUs of one kind, the devices are named in full."""
    measurements = {m["label"]: m for case in cases for m in case["measurements"]}
    found = {label: heading(m) for label, m in measurements.items()}
    uses = Counter(found.values())
    return {
        label: text if uses[text] == 1 else f"{measurements[label]['name']}, {measurements[label]['device']}"
        for label, text in found.items()
    }


def _cell(measurement: Mapping[str, Any] | None, baseline: str | None) -> str:
    if measurement is None:
        return "-"
    time = duration(measurement["median"])
    if measurement["label"] == baseline or baseline != _BASELINE:
        return time
    return f"{time} ({in_words(measurement['ratio'])})"
