"""Runs the workload once for each fault, and judges what came of it."""

from __future__ import annotations

import faulthandler
import gc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from krnlpy import vulkan
from krnlpy.errors import DeviceLost, DeviceUnavailable, KrnlpyError, OutOfMemory, SharingError

from .codes import CODES, LOST
from .layer import Fault, Layer, Site, injected
from .workload import Workload, forget_kernels

_HANGS_S = 120
_SUCCESSES = ("VK_INCOMPLETE", "VK_TIMEOUT", "VK_NOT_READY")
"""Codes that only ask to call again."""


class Misbehaviour(AssertionError):
    """krnlpy did not take a fault as it should."""


@dataclass(frozen=True)
class Outcome:
    """What came of a fault: the error's name, or ``succeeded``."""

    function: str
    code: str
    result: str


def sites(selector: int, is_discrete: bool) -> Counter[Site]:
    """Where the workload, with opening and closing, makes calls that can fail, and how often."""
    layer = Layer(is_discrete)
    forget_kernels()
    probed = vulkan.open_device(selector)  # once a process; there faults only mean that nothing is known
    probed.defects()
    probed.close()
    with injected(layer):
        Workload(selector).run()
    _check_balance(layer)
    return layer.sites


def faults(found: Counter[Site], every: bool) -> Iterator[Fault]:
    """A fault for each code of each call; unless ``every``, only of the first call at each site."""
    for site, count in found.items():
        for skipped in range(count if every else 1):
            for code in CODES[site[0]]:
                yield Fault(site, skipped, code)


def check(selector: int, is_discrete: bool, fault: Fault) -> Outcome | None:
    """Runs the workload with a fault. None if the call was not made: how often krnlpy looks whether work is done
    depends on time.

    Raises:
        Misbehaviour: an error that is none of ours, a leak, a result that is wrong afterwards.
    """
    layer = Layer(is_discrete, fault=fault)
    work = Workload(selector)
    forget_kernels()
    faulthandler.dump_traceback_later(_HANGS_S, exit=True)
    try:
        with injected(layer):
            result = _run(work, fault)
            if fault.is_hit:
                _go_on(work, fault, result)
            work.device = work.witness = None
            forget_kernels()
            gc.collect()
    except Misbehaviour:
        raise
    except Exception as error:
        raise Misbehaviour(f"{fault}: {type(error).__name__}: {error}") from error
    finally:
        faulthandler.cancel_dump_traceback_later()
    _check_balance(layer, fault)
    return Outcome(fault.site[0], fault.code, result) if fault.is_hit else None


def _run(work: Workload, fault: Fault) -> str:
    expected: tuple[type[KrnlpyError], ...] = (OutOfMemory, DeviceUnavailable, DeviceLost, SharingError)
    if fault.code == LOST:
        expected = (DeviceLost,)
    try:
        work.run()
    except expected as error:
        if fault.code in _SUCCESSES:
            raise Misbehaviour(f"{fault}: only asks to call again, but {type(error).__name__}: {error}") from error
        _judge(error, work)
        return type(error).__name__
    return "succeeded"


def _judge(error: KrnlpyError, work: Workload) -> None:
    if len(str(error)) < 20:
        raise Misbehaviour(f"{error!r} says too little")
    if isinstance(error, DeviceLost) and work.device is not None and not work.device.backend.lost:
        raise Misbehaviour(f"{error!r}, and the device does not know it")


def _go_on(work: Workload, fault: Fault, result: str) -> None:
    work.check_unharmed()
    before = work.device
    if before is not None and before.backend.lost:
        try:
            before.wait()
        except DeviceLost:
            pass
        else:
            raise Misbehaviour(f"{fault}: a lost device went on")
    elif before is not None:
        work.use()
    work.run()
    work.check_unharmed()
    if before is not None and work.device is not None:
        is_same = work.device.backend is before.backend
        if is_same != (result != "DeviceLost"):
            raise Misbehaviour(f"{fault}: {result}, and Device() gave {'the same' if is_same else 'a new'} backend")


def _check_balance(layer: Layer, fault: Fault | None = None) -> None:
    if layer.alive or layer.strangers:
        raise Misbehaviour(f"{fault}: left alive {layer.counts()}; destroyed twice {layer.strangers}")


def survey(selector: int, is_discrete: bool, every: bool) -> tuple[Counter[Outcome], list[str]]:
    """All faults, counted by what came of them, and what was wrong."""
    outcomes: Counter[Outcome] = Counter()
    wrong = []
    found = sites(selector, is_discrete)
    for fault in faults(found, every):
        try:
            outcome = check(selector, is_discrete, fault)
            if outcome is not None:
                outcomes[outcome] += 1
        except Misbehaviour as error:
            wrong.append(str(error))
    return outcomes, wrong
