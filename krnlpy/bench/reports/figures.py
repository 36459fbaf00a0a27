"""Figures, and what is to be said of them, in words."""

from __future__ import annotations

from collections.abc import Iterable

from krnlpy.bench.results import DeviceResults, Report, Result

from .comparison import Ratio

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def figure(value: float, unit: str) -> str:
    """A figure with three digits and the unit that suits it.

    >>> figure(2.5e9, "B/s"), figure(1.234e-5, "s"), figure(1234.0, "images/s"), figure(2e7, "images/s")
    ('2.5 GB/s', '12.3 µs', '1234 images/s', '20 M images/s')
    """
    if unit == "s":
        return _scaled(value, _TIMES)
    if unit in ("B/s", "FLOP/s"):
        return _scaled(value, tuple((factor, prefix + unit) for factor, prefix in _PREFIXES))
    if value >= 1e6:
        return _scaled(value, tuple((factor, f"{prefix} {unit}") for factor, prefix in _PREFIXES))
    return f"{value:.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"


def _scaled(value: float, units: Iterable[tuple[float, str]]) -> str:
    rounded = float(f"{value:.3g}")
    *_, smallest = units
    factor, unit = next(((factor, unit) for factor, unit in units if rounded >= factor), smallest)
    return f"{float(f'{rounded / factor:.3g}'):g} {unit}"


def share(result: Result) -> str:
    """Of the device's peak, or ""."""
    return "" if result.share is None else f"{result.share:.0%}"


def remark(result: Result) -> str:
    """What is to be said of a result that is not steady.

    >>> remark(Result("copy", 1, {}, "failed", "B/s", 1.0, "OSError: no"))
    'failed: OSError: no'
    """
    return "" if result.status == "steady" else ": ".join(filter(None, [result.status, result.reason]))


def measured_on(report: Report) -> str:
    """When, by what and on which machine a report was made."""
    machine = report.machine
    kind = "quick run, " if report.is_quick else ""
    return (
        f"{report.date}, {kind}krnlpy {report.krnlpy}; {machine['cpu']} ({', '.join(machine['instructions'])}),"
        f" {machine['host_threads']} threads on {machine['cores']} processors"
    )


def conditions(device: DeviceResults) -> str:
    """Clock, temperature and power while a device was timed, or "".

    >>> about = {"lowest_clock_mhz": 1410.0, "highest_clock_mhz": 1980.0, "highest_power_w": 412.5}
    >>> device = DeviceResults(0, "card", "discrete", "vulkan", "", "", "", 0, 1.0, (), about)
    >>> conditions(device)
    '1410 to 1980 MHz, at most 412 W'
    """
    found, said = device.conditions, []
    if "highest_clock_mhz" in found:
        low, high = found.get("lowest_clock_mhz", 0.0), found["highest_clock_mhz"]
        said.append(f"{low:.0f} to {high:.0f} MHz")
    if "highest_temperature_c" in found:
        said.append(f"at most {found['highest_temperature_c']:.0f} °C")
    if "highest_power_w" in found:
        said.append(f"at most {found['highest_power_w']:.0f} W")
    return ", ".join(said)


def plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula: names of devices come from drivers, and reports from anybody.

    Source: OWASP, "CSV Injection".

    >>> plain("=1+1"), plain("card")
    ("'=1+1", 'card')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def times(value: float) -> str:
    """A ratio.

    >>> times(1.234), times(12.34), times(0.01234), times(1234.0)
    ('1.23', '12.3', '0.0123', '1234')
    """
    return f"{value:.0f}" if value >= 1000 else f"{float(f'{value:.3g}'):g}"


def compared(ratio: Ratio | None) -> str:
    """A ratio with what it lies between; "as fast" where 1 is within.

    >>> compared(Ratio(2.0, 1.9, 2.104)), compared(Ratio(1.01, 0.97, 1.03)), compared(None)
    ('2 (1.9 to 2.1)', 'as fast (0.97 to 1.03)', '')
    """
    if ratio is None:
        return ""
    what = times(ratio.value) if ratio.is_clear else "as fast"
    return f"{what} ({times(ratio.low)} to {times(ratio.high)})"
