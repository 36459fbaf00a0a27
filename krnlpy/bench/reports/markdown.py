"""Reports in Markdown: for pull requests, and for the documents' site."""

from __future__ import annotations

import re
from collections.abc import Sequence

from krnlpy.bench.results import DeviceResults

from .figures import figure, remark, share


def device_table(device: DeviceResults) -> str:
    """What was measured on a device."""
    rows = []
    for result in device.results:
        found = f"{figure(result.value, result.unit)} | {result.spread:.1%}" if result.is_timed else " | "
        rows.append(
            f"| {result.benchmark} | {cell(result.label)} | {found} | {share(result)} | {cell(remark(result))} |"
        )
    return (
        "\n".join(["| benchmark | | figure | spread | of peak | remark |", "|---|---|--:|--:|--:|---|", *rows]) + "\n"
    )


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells as they are, the first column to the left."""
    lines = [headings, ["---", *("--:" for _ in headings[1:])], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def cell(text: str) -> str:
    """A text of anybody's as the text of a cell: nothing in it is markup.

    >>> cell("a|b <script> [x](y)")
    'a\\\\|b \\\\<script\\\\> \\\\[x\\\\](y)'
    """
    return re.sub(r"([\\|<>\[\]`*_#])", r"\\\1", text)
