"""Text in columns, as commands and profiles print it."""

from __future__ import annotations

from collections.abc import Container, Sequence


def in_columns(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """Rows of cells as lines, with columns as wide as their longest cell.

    Args:
        right: the columns that are aligned to the right: those of numbers.

    >>> in_columns([("kernel", "calls"), ("add", "3")], right=[1])
    ['kernel  calls', 'add         3']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
