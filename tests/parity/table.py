"""``python -m tests.parity networks [--device D]``: layers, losses and optimizers, the page `docs/parity_pytorch.md`.

A device is named as for the tests; all there are but the interpreter, if none is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from math import isnan
from typing import Any

from krnlpy import Device
from tests.support.devices import selectors

from .networks import LINES, Line
from .training import Differences, bounds, compare, torch

Table = dict[tuple[str, Line], dict[str, Differences]]

PAGE = """# Beside PyTorch: layers, losses, optimizers

What `python -m tests.parity networks` found: each line is computed in f32 on every device and by PyTorch {version} in
f64, from the same numbers. A value is that of one call (of an optimizer, the weights after a step), gradients are those
of all parameters and of the input, and twenty steps are their losses, weights and running statistics in training with
SGD (of an optimizer, with itself). Each figure is the largest difference on any device, as a share of the largest
number that is compared.

| device | lines | within their bounds | largest value | gradients | twenty steps |
|---|---|---|---|---|---|
{devices}

{bounds}
"""

BOUNDS = """Bounds, in halves of an ulp of f32 (2**-24): the longest sum of a line, of `terms` products, is rounded
twice a term, up as often as down: four times the root of the mean square of all roundings is 3.3 times the root of
`terms`. Functions such as `exp` are right to 4 ulp: 8 more. Gradients are made of such values and of such factors:
twice as much. In twenty steps at a rate of 0.05, momentum adds up ten gradients, and steps add up: four times as much
again. The column `of the bound` has the largest share of its bound that a line uses."""


def main(arguments: Sequence[str]) -> int:
    """Prints the page; what is out of its bounds makes the status 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity networks", description=__doc__)
    parser.add_argument("--device", action="append", default=[])
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    table: Table = {(kind, line): {} for kind, lines in LINES.items() for line in lines}
    names = []
    for name, selector in selectors(options.device):
        if name == "interpreter" and not options.device:
            continue
        device = Device(selector)
        label = device.info.driver if isinstance(selector, int) else name
        names.append(label)
        for (kind, line), found in table.items():
            found[label] = compare(kind, line, device)
    print(page(table, names))
    wrong = [line.ours for (_, line), found in table.items() if any(_share(line, d) > 1 for d in found.values())]
    for name in wrong:
        print(f"out of its bounds: {name}", file=sys.stderr)
    return 1 if wrong else 0


def page(table: Table, names: Sequence[str]) -> str:
    """The page of markdown."""
    rows = []
    for name in names:
        of = [(line, found[name]) for (_, line), found in table.items()]
        within = sum(_share(line, differences) <= 1 for line, differences in of)
        rows.append(_row(name, len(of), within, *_largest(differences for _, differences in of)))
    parts = [PAGE.format(version=torch.__version__.partition("+")[0], devices="\n".join(rows), bounds=BOUNDS)]
    for kind in LINES:
        titles = ("autograph", "PyTorch", "value", "gradients", "twenty steps", "terms", "of the bound")
        lines = [f"## {kind.capitalize()}\n", _row(*titles), _row(*["---"] * len(titles)).replace(" ", "")]
        for (group, line), found in table.items():
            if group != kind:
                continue
            share = max(_share(line, differences) for differences in found.values())
            terms = f"{line.terms}: {line.reason}" if line.reason else str(line.terms)
            lines.append(
                _row(f"`{line.ours}`", f"`{line.theirs}`", *_largest(found.values()), terms, f"{100 * share:.0f} %")
            )
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts).rstrip()


def _share(line: Line, differences: Differences) -> float:
    """The largest share of a bound that a difference uses."""
    return max(found / bound for found, bound in zip(differences, bounds(line), strict=True) if not isnan(found))


def _largest(found: Any) -> list[str]:
    columns = zip(*found, strict=True)
    largest = [max((x for x in column if not isnan(x)), default=None) for column in columns]
    return ["" if x is None else "0" if x == 0 else f"{x:.1e}" for x in largest]


def _row(*cells: Any) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
