"""Text in columns, as commands and profiles print it, and as notebooks show it."""

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


def as_html(title: str, rows: Sequence[Sequence[str]] = (), right: Container[int] = (), text: str = "") -> str:
    """A title, rows of cells below the first, which is their head, and preformatted text, as HTML. All is escaped.

    Args:
        right: the columns that are aligned to the right: those of numbers.

    >>> as_html("a < b", text="1 2")
    '<div><strong>a &lt; b</strong><pre>1 2</pre></div>'
    """
    from html import escape  # has a large table of its own, which only notebooks need

    parts = [f"<strong>{escape(title)}</strong>"]
    if rows:
        lines = []
        for tag, row in zip(["th", *["td"] * (len(rows) - 1)], rows, strict=True):
            sides = ["right" if place in right else "left" for place in range(len(row))]
            cells = zip(sides, row, strict=True)
            lines.append("".join(f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>' for side, cell in cells))
        parts.append(f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>")
    if text:
        parts.append(f"<pre>{escape(text)}</pre>")
    return f"<div>{''.join(parts)}</div>"
