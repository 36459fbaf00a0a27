"""A profile's records as a table, as JSON, and as a trace for Perfetto and Chrome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from krnlpy.columns import as_html, in_columns
from krnlpy.errors import ProfileError

if TYPE_CHECKING:
    from krnlpy.backend.labels import LabelRange
    from krnlpy.backend.roofline import Roofline
    from krnlpy.backend.timing import Clock
    from krnlpy.device_info import DeviceInfo

    from .profile import Record


@dataclass(frozen=True, slots=True)
class Row:
    """Records of one name, gathered. Times are seconds.

    Attributes:
        share: of the time of all records, from 0 to 1.
        bandwidth: bytes read and written per second, of all calls together.
        of_copy: the bandwidth as a share of that of the device's own copies, from 0; above 1 for what a cache holds.
            None where ``Device.roofline`` was not asked for before.
    """

    name: str
    calls: int
    total: float
    mean: float
    min: float
    max: float
    share: float
    bandwidth: float
    of_copy: float | None = None


def summarize(records: Iterable[Record], by: Literal["name", "label"], roofline: Roofline | None = None) -> list[Row]:
    """Rows by name or label, what took longest first."""
    if not isinstance(by, str) or by not in ("name", "label"):
        raise ProfileError(f"by={by!r}: expected 'name' or 'label'")
    gathered: dict[str, list[Record]] = {}
    for record in records:
        gathered.setdefault(record.name if by == "name" else record.label, []).append(record)
    everything = sum(record.seconds for found in gathered.values() for record in found)
    rows = []
    for name, found in gathered.items():
        times = [record.seconds for record in found]
        total, nbytes = sum(times), sum(record.bytes_read + record.bytes_written for record in found)
        share = total / everything if everything else 0.0
        bandwidth = nbytes / total if total else 0.0
        of_copy = None if roofline is None else bandwidth / roofline.copy_bandwidth
        mean = total / len(found)
        rows.append(Row(name, len(found), total, mean, min(times), max(times), share, bandwidth, of_copy))
    return sorted(rows, key=lambda row: (-row.total, row.name))


_COLUMNS = ("", "calls", "total ms", "mean us", "min us", "max us", "share", "GB/s")
_OF_COPY = "of copy"


def table(rows: Sequence[Row], device: str, clock: Clock) -> str:
    """Rows as text, below a line with the device and the clock."""
    cells = _cells(rows)
    return "\n".join([_title(device, clock), *in_columns(cells, right=range(1, len(cells[0])))])


def html(rows: Sequence[Row], device: str, clock: Clock) -> str:
    """The same as HTML, for notebooks."""
    cells = _cells(rows)
    return as_html(_title(device, clock), cells, right=range(1, len(cells[0])))


def _title(device: str, clock: Clock) -> str:
    return f"{device}: {'timestamps of the device' if clock == 'device' else 'time of the host'}"


def _cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    cells = [
        (
            *(row.name or "(no label)", str(row.calls), f"{1e3 * row.total:.3f}"),
            *(f"{1e6 * time:.1f}" for time in (row.mean, row.min, row.max)),
            *(f"{100 * row.share:.1f} %", f"{row.bandwidth / 1e9:.2f}"),
            *(() if row.of_copy is None else (f"{100 * row.of_copy:.0f} %",)),
        )
        for row in rows
    ]
    known = any(row.of_copy is not None for row in rows)
    return [(*_COLUMNS, _OF_COPY) if known else _COLUMNS, *cells]


def as_json(info: DeviceInfo, clock: Clock, records: Sequence[Record]) -> dict[str, Any]:
    """The profile as what JSON can hold."""
    return {
        "krnlpy_profile": 1,
        "device": {"name": info.name, "driver": info.driver, "backend": info.backend},
        "clock": clock,
        "records": [{**asdict(record), "bandwidth": record.bandwidth} for record in records],
    }


_DEVICE, _HOST = 1, 2


def as_chrome_trace(
    info: DeviceInfo, clock: Clock, records: Sequence[Record], ranges: Sequence[LabelRange]
) -> dict[str, Any]:
    """The profile in Chrome's trace event format: a row for the device with the labels around what it did, and one with
    when the host was in each label. Times are microseconds since the profile began.

    Source: "Trace Event Format", the Catapult project's documentation.
    """

    def event(name: str, row: int, begin: float, duration: float, arguments: dict[str, Any]) -> dict[str, Any]:
        times = {"ts": round(1e6 * begin, 3), "dur": round(1e6 * duration, 3)}
        return {"name": name, "ph": "X", "pid": 1, "tid": row, **times, "args": arguments}

    rows = {_DEVICE: f"{info.name} ({clock} clock)", _HOST: "labels on the host"}
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": 1, "tid": 0, "args": {"name": "krnlpy"}},
        *({"name": "thread_name", "ph": "M", "pid": 1, "tid": row, "args": {"name": rows[row]}} for row in rows),
    ]
    events += [event(name, _DEVICE, begin, end - begin, {}) for name, begin, end in _label_spans(records)]
    for record in records:
        arguments = {
            "kind": record.kind,
            "label": record.label,
            "thread": record.thread,
            **({"groups": record.groups, "threads": record.threads} if record.threads else {}),
            "bytes read": record.bytes_read,
            "bytes written": record.bytes_written,
            "GB/s": round(record.bandwidth / 1e9, 3),
        }
        events.append(event(record.name, _DEVICE, record.begin, record.seconds, arguments))
    for found in ranges:
        events.append(event(found.path, _HOST, found.begin / 1e9, (found.end - found.begin) / 1e9, {}))
    return {"displayTimeUnit": "ns", "traceEvents": events}


def _label_spans(records: Sequence[Record]) -> list[tuple[str, float, float]]:
    """The device's time in each label: from the first to the last of the records that follow each other in it, the
    outer labels first."""
    spans: list[tuple[str, float, float]] = []
    paths = [tuple(record.label.split("/")) if record.label else () for record in records]
    for depth in range(1, max(map(len, paths), default=0) + 1):
        before: tuple[str, ...] | None = None
        for record, path in zip(records, paths, strict=True):
            here = path[:depth] if len(path) >= depth else None
            if here is not None and here == before:
                spans[-1] = (spans[-1][0], spans[-1][1], record.begin + record.seconds)
            elif here is not None:
                spans.append((here[-1], record.begin, record.begin + record.seconds))
            before = here
    return spans
