"""Runs a case on the interpreter and on devices, and says what differs."""

from __future__ import annotations

import io
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from krnlpy import Buffer, Device, Feature, Item, ItemMut, KrnlpyError, MissingFeatures, config, f32, kernel
from krnlpy.dsl import sqrt
from krnlpy.scalar import scalar_type

from .case import Case, Data, Loaded

Arrays = dict[str, np.ndarray[Any, Any]]

SECONDS = 20.0
"""How long a case may take on the interpreter: drawn programs end long before; reduced ones may not end at all."""


class TooLong(Exception):
    """A program did not end in time."""


@dataclass(frozen=True)
class Fault:
    """What went wrong on a device.

    Attributes:
        what: "differs", or the name of the exception that was raised.
        detail: the first elements that differ, or the message.
    """

    device: str
    what: str
    detail: str

    def __str__(self) -> str:
        return f"{self.device}: {self.what}\n{self.detail}"


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TooLong in Python code that runs longer; only the main thread can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def launch(case: Case, loaded: Loaded, device: Device) -> Arrays:
    """The buffers as they are after a launch: whole, so that a write beside a view is seen too."""
    before = config.debug
    config.debug = case.debug
    try:
        buffers = case.buffers(device)
        with redirect_stdout(io.StringIO()):  # kernels may print
            case.launch(loaded, buffers)
            return {name: buffer.numpy() for name, buffer in buffers.items()}
    finally:
        config.debug = before


def judge(case: Case, loaded: Loaded, seconds: float = SECONDS) -> Arrays:
    """What the interpreter gives."""
    with warnings.catch_warnings(), time_limit(seconds):
        warnings.simplefilter("error")
        return launch(case, loaded, Device.interpreter())


def check(case: Case, loaded: Loaded, device: Device, want: Arrays) -> Fault | None:
    """What is wrong with a case on a device, if anything."""
    name = repr(device)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            got = launch(case, loaded, device)
        except MissingFeatures as error:
            if Feature.INT64 in device.info.features and Feature.FLOAT64 in device.info.features:
                return Fault(name, "MissingFeatures", str(error))
            return None
        except Exception as error:
            return Fault(name, type(error).__name__, str(error))
    found = differences(case, got, want)
    return Fault(name, "differs", "\n".join(found)) if found else None


def differences(case: Case, got: Arrays, want: Arrays) -> list[str]:
    """The elements that are not the judge's: every bit counts, but any NaN is as good as another."""
    lines = []
    for name, data in case.arguments.items():
        if not isinstance(data, Data):
            continue
        a, b = (x.view(np.uint8) if x.dtype == bool else x for x in (got[name], want[name]))
        wide = np.float64 if scalar_type(data.type).is_float else a.dtype
        x, y = a.astype(wide), b.astype(wide)
        if wide is np.float64:
            same = (x == y) & (np.signbit(x) == np.signbit(y)) | np.isnan(x) & np.isnan(y)
            with np.errstate(all="ignore"):
                same |= np.abs(x - y) <= data.tolerance * (1 + np.abs(y))
        else:
            same = x == y
        for index in np.argwhere(~same)[:4]:
            at = tuple(index.tolist())
            lines.append(f"{name}{list(at)} is {a[at]!r}, the interpreter has {b[at]!r}")
    return lines


@cache
def abilities(device: Device) -> frozenset[str]:
    """Which demands of cases a device meets, as it shows by itself. What it does not promise, a test can't ask for.

    - ``division``: quotients and square roots of f32 are correctly rounded (Vulkan grants 2.5 ulp).
    - ``zeros``: so too where one operand is a zero that is seen while compiling.
    - ``special``: zeros keep their signs, infinities and NaN are what IEEE says (Vulkan grants none of it).
    """
    found = set()
    rng = np.random.default_rng(0)
    x, y = (rng.normal(0, 10, 4096).astype(np.float32) for _ in "xy")
    quotient, root = Buffer.empty(4096, f32, device), Buffer.empty(4096, f32, device)
    _probe_division(Buffer.from_numpy(np.abs(x), device), Buffer.from_numpy(y, device), quotient, root)
    if np.array_equal(quotient.numpy(), np.abs(x) / y) and np.array_equal(root.numpy(), np.sqrt(np.abs(x))):
        found.add("division")
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0], np.float32)
    a, b = (g.reshape(-1).copy() for g in np.meshgrid(special, special))
    results = [Buffer.empty(36, f32, device) for _ in range(3)]
    _probe_special(Buffer.from_numpy(a, device), Buffer.from_numpy(b, device), *results)
    with np.errstate(all="ignore"):
        wanted = (a + b, a * b, np.where(b < a, b, a))
    same = [
        np.array_equal(r.numpy(), w, equal_nan=True)
        and np.array_equal(np.signbit(r.numpy())[~np.isnan(w)], np.signbit(w)[~np.isnan(w)])
        for r, w in zip(results, wanted, strict=True)
    ]
    if all(same):
        found.add("special")
    _probe_zeros(Buffer.from_numpy(a, device), *results[:2])
    with np.errstate(all="ignore"):
        product = a * np.float32(0)
    if np.array_equal(results[0].numpy(), product, equal_nan=True) and not np.signbit(results[1].numpy()[a == 0]).any():
        found.add("zeros")
    return frozenset(found)


@kernel
def _probe_division(x: Item[f32], y: Item[f32], quotient: ItemMut[f32], root: ItemMut[f32]) -> None:
    quotient = x / y
    root = sqrt(x)


@kernel
def _probe_special(x: Item[f32], y: Item[f32], total: ItemMut[f32], product: ItemMut[f32], least: ItemMut[f32]) -> None:
    total = x + y
    product = x * y
    least = min(x, y)


@kernel
def _probe_zeros(x: Item[f32], product: ItemMut[f32], total: ItemMut[f32]) -> None:
    product = x * 0.0
    total = x + 0.0


def can_run(case: Case, device: Device) -> bool:
    """Whether a device promises what a case asks for."""
    return set(case.demands) <= abilities(device)


__all__ = ["Fault", "KrnlpyError", "TooLong", "abilities", "can_run", "check", "differences", "judge", "launch"]
