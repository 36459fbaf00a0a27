"""Reports as a page of HTML that needs nothing else: plots of bars, a bar a device, in the colours that the reader's
system asks for.

The bars are boxes of CSS. A library for plots would inline megabytes of scripts (Plotly 4.5 MB, Vega 0.8 MB) or draw
pictures that neither become narrow with a phone nor dark with a system; and nothing here needs more than bars.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from krnlpy import files
from krnlpy.bench.results import Report, Result

from .comparison import Column, Comparison, columns
from .figures import compared, conditions, figure, measured_on, remark, share

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5c636b; --paper: #fff; --line: #dfe3e8; --warn: #8a5a00;
  --c0: #2f6fb7; --c1: #c2571a; --c2: #2a8a57; --c3: #8a4fb0; --c4: #a8893a; --c5: #b23a60; --c6: #3a8f9c;
  --c7: #6b6f76; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e9ec; --soft: #9aa3ad; --paper: #16181b; --line: #2e3238;
  --warn: #e0b25a; --c0: #5b9be0; --c1: #e5854e; --c2: #4fb886; --c3: #b583d6; --c4: #cfb25f; --c5: #de6d8f;
  --c6: #62b8c5; --c7: #9a9fa7; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); font-size: .875rem; } .warn { color: var(--warn); }
ul { padding-left: 1.2rem; } details { margin: .2rem 0 .6rem; font-size: .875rem; color: var(--soft); }
.legend { position: sticky; top: 0; background: var(--paper); border-bottom: 1px solid var(--line); padding: .5rem 0;
  display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .875rem; z-index: 1; }
.dot { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .35em; }
dl { display: grid; grid-template-columns: minmax(9rem, 16rem) minmax(0, 1fr); gap: .15rem .8rem; margin: .5rem 0; }
dt { color: var(--soft); font-size: .875rem; border-top: 1px solid var(--line); padding-top: .2rem; }
dd { margin: 0; border-top: 1px solid var(--line); padding: .2rem 0; }
.row { display: flex; align-items: center; gap: .5rem; min-height: 1.4rem; }
.plot { position: relative; flex: 1; height: .8rem; min-width: 3rem; }
.bar { position: absolute; left: 0; top: 0; bottom: 0; border-radius: 0 2px 2px 0; }
.between { position: absolute; top: 50%; height: 2px; background: var(--ink); opacity: .75; margin-top: -1px;
  min-width: 2px; }
.figure { width: 7.5rem; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.of { width: 11rem; color: var(--soft); font-size: .8125rem; white-space: nowrap; }
.none { color: var(--soft); font-size: .8125rem; }
@media (max-width: 40rem) { dl { grid-template-columns: minmax(0, 1fr); } dd { border-top: 0; padding-top: 0; }
  .figure { width: 6.5rem; } .row { flex-wrap: wrap; } .of { flex-basis: 100%; padding-left: 7rem; }
  .of:empty { display: none; } }
"""


@dataclass(frozen=True)
class _Device:
    """What a bar stands for."""

    title: str
    about: str
    colour: int


@dataclass(frozen=True)
class _Bar:
    device: _Device
    result: Result
    beside: str


def write(path: str | os.PathLike[str], report: Report) -> None:
    """Writes a report as a page; the file is there whole or not at all.

    Raises:
        FileError: it can't be written.
    """
    devices = [_of_column(column, place) for place, column in enumerate(columns([("", report)]))]
    cases: dict[object, list[_Bar]] = {}
    for device, found in zip(devices, report.devices, strict=True):
        for result in found.results:
            beside = share(result) and f"{share(result)} of {result.peak.partition(' ')[0]}"
            cases.setdefault(result.key, []).append(_Bar(device, result, beside))
    _write(path, "krnlpy bench", devices, cases.values(), report.warnings)


def write_comparison(path: str | os.PathLike[str], comparison: Comparison) -> None:
    """Writes a comparison as a page; the file is there whole or not at all.

    Raises:
        FileError: it can't be written.
    """
    devices = [_of_column(column, place) for place, column in enumerate(comparison.columns)]
    cases = [
        [
            _Bar(device, result, compared(row.ratio(place)) if place else "")
            for place, (device, result) in enumerate(zip(devices, row.results, strict=True))
            if result is not None
        ]
        for row in comparison.rows
    ]
    title = f"krnlpy bench: times as fast as {devices[0].title}"
    _write(path, title, devices, cases, comparison.doubts)


def _of_column(column: Column, place: int) -> _Device:
    about = (column.device.driver, conditions(column.device), measured_on(column.report))
    return _Device(column.title, "; ".join(filter(None, about)), place % 8)


def _write(
    path: str | os.PathLike[str],
    title: str,
    devices: Sequence[_Device],
    cases: Iterable[Sequence[_Bar]],
    warnings: Sequence[str],
) -> None:
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Nothing is loaded, whatever names of devices say.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        *(f'<p class="soft">{_dot(d)}{escape(d.title)}: {escape(d.about)}</p>' for d in devices),
    ]
    if warnings:
        parts.append(f'<ul class="warn">{"".join(f"<li>{escape(warning)}</li>" for warning in warnings)}</ul>')
    if len(devices) > 1:
        parts.append(
            f'<div class="legend">{"".join(f"<span>{_dot(d)}{escape(d.title)}</span>" for d in devices)}</div>'
        )
    groups: dict[str, list[Sequence[_Bar]]] = {}
    for bars in cases:
        groups.setdefault(bars[0].result.benchmark, []).append(bars)
    for name, rows in groups.items():
        parts += _section(name, rows)
    parts.append("</body></html>\n")
    files.write(path, "\n".join(parts).encode())


def _section(name: str, rows: Sequence[Sequence[_Bar]]) -> list[str]:
    """The cases of a benchmark, whose bars have one scale."""
    timed = [bar.result for bars in rows for bar in bars if bar.result.is_timed]
    most = max((result.bounds[1] for result in timed), default=1.0)
    better = "less is better" if timed and timed[0].unit == "s" else "more is better"
    return [
        f'<section><h2>{escape(name)}</h2><p class="soft">{better}; a line is an interval of 95 % confidence</p><dl>',
        *(
            f"<dt>{escape(bars[0].result.label)}</dt><dd>{''.join(_row(bar, most) for bar in bars)}</dd>"
            for bars in rows
        ),
        "</dl></section>",
    ]


def _row(bar: _Bar, most: float) -> str:
    result, said = bar.result, escape(remark(bar.result))
    title, colour = escape(bar.device.title), bar.device.colour
    if not result.is_timed:
        return f'<div class="row none" title="{title}">{_dot(bar.device)}<span>{said}</span></div>'
    low, high = (100 * bound / most for bound in result.bounds)
    what, width = escape(figure(result.value, result.unit)), 100 * result.value / most
    note = escape("; ".join(filter(None, [bar.beside, "" if result.status == "steady" else result.status])))
    return (
        f'<div class="row" title="{title}{": " if said else ""}{said}"><span class="figure">{what}</span>'
        f'<span class="plot" role="img" aria-label="{title}: {what}">'
        f'<span class="bar" style="width:{width:.2f}%;background:var(--c{colour})"></span>'
        f'<span class="between" style="left:{low:.2f}%;width:{high - low:.2f}%"></span></span>'
        f'<span class="of">{note}</span></div>'
    )


def _dot(device: _Device) -> str:
    return f'<span class="dot" style="background:var(--c{device.colour})"></span>'
