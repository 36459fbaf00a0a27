"""What was measured, as objects and as JSON. A file is checked when it is read: it may come from anybody."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final, Literal, get_args

from krnlpy import files
from krnlpy.errors import FileError

from .measuring import interval, spread

FORMAT: Final = "krnlpy bench"
VERSION: Final = 1

Status = Literal["steady", "not steady", "wrong", "unsupported", "failed", "no time"]
"""Of a case. ``wrong`` is one whose result is not that of the reference; only the first two were timed."""
TIMED: Final = ("steady", "not steady")

_MOST_BYTES: Final = 16 << 20
_MOST_TEXT: Final = 4000


@dataclass(frozen=True)
class Result:
    """What became of a case.

    Attributes:
        benchmark: its name.
        revision: of the benchmark.
        configuration: of the case.
        status: whether it was timed.
        reason: why it was not, or why it is not steady; or "".
        unit: of the rate; ``s`` where the figure is a time.
        amount: what an iteration does, in the unit's numerator.
        iterations: of a sample.
        samples: seconds an iteration.
        others: how many processors other processes kept busy meanwhile; None where that is not known.
        share: of the device's own peak; None where that was not measured.
        peak: which peak that is, or "".
    """

    benchmark: str
    revision: int
    configuration: Mapping[str, str | int]
    status: Status
    unit: str
    amount: float
    reason: str = ""
    iterations: int = 0
    samples: tuple[float, ...] = ()
    others: float | None = None
    share: float | None = None
    peak: str = ""

    @property
    def is_timed(self) -> bool:
        """Whether there is a figure."""
        return self.status in TIMED

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str | int], ...]]:
        """What is the same for the same case on every device."""
        return self.benchmark, tuple(sorted(self.configuration.items()))

    @property
    def label(self) -> str:
        """The configuration in words."""
        return described(self.configuration)

    @property
    def value(self) -> float:
        """The figure: a rate, or a time in seconds."""
        return self._of(median(self.samples))

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which the figure lies with a confidence of 95 %."""
        low, high = (self._of(seconds) for seconds in interval(self.samples))
        return min(low, high), max(low, high)

    @property
    def spread(self) -> float:
        """Of the samples, relative to their median."""
        return spread(self.samples)

    def _of(self, seconds: float) -> float:
        return seconds / self.amount if self.unit == "s" else self.amount / seconds


@dataclass(frozen=True)
class DeviceResults:
    """What was measured on a device, and what it is.

    Attributes:
        seconds: that the run took on it.
        conditions: while it was timed, so far as the system tells: ``lowest_clock_mhz``, ``highest_clock_mhz``,
            ``highest_temperature_c``, ``highest_power_w``.
        slower: how many times as long, at the least, the same work took at the end as at the start; None where that is
            not known.
    """

    index: int | None
    name: str
    kind: str
    backend: str
    vendor: str
    driver: str
    api_version: str
    memory_bytes: int
    seconds: float
    results: tuple[Result, ...]
    conditions: Mapping[str, float] = field(default_factory=dict)
    slower: float | None = None

    @property
    def label(self) -> str:
        """Its name; the host's and the interpreter's are those."""
        return self.name if self.index is not None else self.backend


@dataclass(frozen=True)
class Report:
    """A run of benchmarks.

    Attributes:
        date: when it began, in ISO 8601.
        is_quick: whether it was a quick run, whose figures are less sure.
        krnlpy: its version.
        machine: of :func:`krnlpy.bench.machine.machine`, as it was before the run; and ``others``, the processors that
            other processes took then, or None.
        versions: of Python and packages.
        warnings: what speaks against the figures.
        devices: what was measured on each.
    """

    date: str
    is_quick: bool
    krnlpy: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    warnings: tuple[str, ...]
    devices: tuple[DeviceResults, ...]

    def warnings_of(self, device: DeviceResults) -> tuple[str, ...]:
        """Those that do not name another of the devices."""
        others = [other.label for other in self.devices if other.label != device.label]
        return tuple(warning for warning in self.warnings if not any(f" {label} " in f" {warning}" for label in others))


def described(configuration: Mapping[str, str | int]) -> str:
    """A configuration in words.

    >>> described({"bytes": 4 << 20, "dtype": "f32"}), described({"bytes": 1000})
    ('4 MiB, f32', '1000 bytes')
    """
    return ", ".join(_described(name, value) for name, value in configuration.items())


def _described(name: str, value: str | int) -> str:
    if name == "bytes" and isinstance(value, int) and value % (1 << 20) == 0:
        return f"{value >> 20} MiB"
    return str(value) if isinstance(value, str) else f"{value} {name}"


def write(path: str | os.PathLike[str], report: Report) -> None:
    """Writes a report as JSON; the file is there whole or not at all.

    Raises:
        FileError: it can't be written.
    """
    files.write(path, (json.dumps(as_json(report), indent=1, allow_nan=False) + "\n").encode())


def as_json(report: Report) -> dict[str, Any]:
    """A report as what JSON has."""
    return {"format": FORMAT, "version": VERSION, **asdict(report)}


def read(path: str | os.PathLike[str]) -> Report:
    """Reads a report that :func:`write` wrote, whoever had it since.

    Raises:
        FileMissing: it is not there. FileError: it can't be read, or is no such report; the message says where.
    """
    content = files.read(path, _MOST_BYTES)
    try:
        # A deep nesting, a number with too many digits and a text that is not UTF-8 are ValueErrors or RecursionErrors.
        found = json.loads(content.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is not JSON: {error}") from error
    try:
        return _report(found)
    except _Unexpected as error:
        raise FileError(f"{path} is not a report of `krnlpy bench`: {error}") from None


class _Unexpected(Exception):
    """Something in a file is not what it should be."""


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


Check = Callable[[Any, str], Any]


def _report(found: Any) -> Report:
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _Unexpected(f'expected "format": "{FORMAT}"')
    version = _whole(found.get("version"), "version")
    if version != VERSION:
        raise _Unexpected(f"it has version {version}, and this krnlpy reads {VERSION}")
    fields = _fields(
        found,
        "report",
        {
            "date": _text,
            "is_quick": _truth,
            "krnlpy": _text,
            "machine": _machine,
            "versions": _mapping(_text),
            "warnings": _list(_text, 100),
            "devices": _list(_device, 64),
        },
    )
    return Report(**fields)


def _machine(found: Any, where: str) -> dict[str, Any]:
    return _fields(
        found,
        where,
        {
            "cpu": _text,
            "llvm_cpu": _text,
            "instructions": _list(_text, 100),
            "cores": _whole,
            "host_threads": _whole,
            "load": _number,
            "others": _optional(_number),
            "system": _text,
            "settings": _mapping(_text),
        },
    )


def _device(found: Any, where: str) -> DeviceResults:
    return DeviceResults(
        **_fields(
            found,
            where,
            {
                "index": _optional(_whole),
                "name": _text,
                "kind": _text,
                "backend": _text,
                "vendor": _text,
                "driver": _text,
                "api_version": _text,
                "memory_bytes": _whole,
                "seconds": _number,
                "results": _list(_result, 10_000),
                "conditions": _mapping(_number),
                "slower": _optional(_number),
            },
        )
    )


def _result(found: Any, where: str) -> Result:
    fields = _fields(
        found,
        where,
        {
            "benchmark": _text,
            "revision": _whole,
            "configuration": _mapping(_text_or_whole),
            "status": _status,
            "unit": _text,
            "amount": _positive,
            "reason": _text,
            "iterations": _whole,
            "samples": _list(_positive, 1000),
            "others": _optional(_number),
            "share": _optional(_number),
            "peak": _text,
        },
    )
    result = Result(**fields)
    if result.is_timed != bool(result.samples):
        raise _Unexpected(f"{where} is {result.status!r} and has {len(result.samples)} samples")
    return result


def _fields(found: Any, where: str, checks: Mapping[str, Check]) -> dict[str, Any]:
    """The fields that are known, checked. Others are left out: a later krnlpy may write more."""
    if not isinstance(found, dict):
        raise _Unexpected(f"{where} is a {type(found).__name__}, expected an object")
    for name in checks:
        if name not in found:
            raise _Unexpected(f"{where} lacks {name!r}")
    return {name: check(found[name], f"{where}.{name}") for name, check in checks.items()}


def _text(found: Any, where: str) -> str:
    if not isinstance(found, str) or len(found) > _MOST_TEXT:
        raise _Unexpected(f"{where}: expected a text of at most {_MOST_TEXT} characters")
    # Terminals obey control characters.
    return "".join(character if character.isprintable() else " " for character in found)


def _truth(found: Any, where: str) -> bool:
    if not isinstance(found, bool):
        raise _Unexpected(f"{where}: expected true or false")
    return found


def _whole(found: Any, where: str) -> int:
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 1 << 63:
        raise _Unexpected(f"{where}: expected a whole number")
    return found


def _number(found: Any, where: str) -> float:
    if not isinstance(found, int | float) or isinstance(found, bool) or not 0 <= found < 1e300:
        raise _Unexpected(f"{where}: expected a number that is not negative")
    return float(found)


def _positive(found: Any, where: str) -> float:
    number = _number(found, where)
    if number < 1e-30 or not math.isfinite(number):
        raise _Unexpected(f"{where}: expected a number above 0")
    return number


def _text_or_whole(found: Any, where: str) -> str | int:
    return _text(found, where) if isinstance(found, str) else _whole(found, where)


def _status(found: Any, where: str) -> Any:
    if not isinstance(found, str) or found not in get_args(Status):
        raise _Unexpected(f"{where}: expected one of {', '.join(get_args(Status))}")
    return found


def _optional(check: Check) -> Check:
    return lambda found, where: None if found is None else check(found, where)


def _list(check: Check, most: int) -> Check:
    def checked(found: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(found, list) or len(found) > most:
            raise _Unexpected(f"{where}: expected a list of at most {most}")
        return tuple(check(item, f"{where}[{place}]") for place, item in enumerate(found))

    return checked


def _mapping(check: Check) -> Check:
    def checked(found: Any, where: str) -> dict[str, Any]:
        if not isinstance(found, dict) or len(found) > 100:
            raise _Unexpected(f"{where}: expected an object of at most 100 members")
        return {
            _text(name, f"a name in {where}"): check(value, f"{where}.{name[:40]}") for name, value in found.items()
        }

    return checked
