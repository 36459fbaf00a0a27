"""What the command lines of examples share: numbers that are checked, the device, and errors of one line."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable

import krnlpy
from krnlpy import Device


def positive(text: str) -> int:
    """An argument that must be a whole number above 0."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def number(text: str) -> float:
    """An argument that must be a finite number, at least 0."""
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number of at least 0")
    return value


def seed(text: str) -> int:
    """An argument that must be a whole number of at least 0."""
    if (value := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def choose_device(wish: str) -> tuple[Device, str]:
    """The device that ``--device`` means, and why.

    Raises:
        DeviceError: there is no such device.
    """
    if wish != "auto":
        return Device(int(wish) if wish.isdecimal() else wish), "as asked"
    device, others = Device.best(), ", ".join(info.name for info in krnlpy.devices())
    if device.is_host:
        return device, f"no GPU found{f'; {others} can be chosen by --device' if others else ''}"
    return device, f"the first {device.info.kind} GPU"


def run(main: Callable[[], None], hint: str) -> None:
    """Runs a program; what the user can mend is told in one line, and after Ctrl-C how to go on."""
    try:
        main()
    except (krnlpy.errors.KrnlpyError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(f"interrupted; {hint}")
