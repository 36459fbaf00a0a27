"""What the examples share: their command line, and how their kernels are checked and timed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from examples._needs import require
from krnlpy import Device
from krnlpy.errors import KrnlpyError

Array = np.ndarray[Any, Any]

LAUNCHES = 20
SECONDS = 1.0
"""So many launches are timed, or, if they are slow, as many as fit in so many seconds; three at least."""


@dataclass(frozen=True)
class Work:
    """Something that kernels compute.

    Attributes:
        name: what it is.
        launch: queues it; may be called again.
        check: compares the result of the first launch with NumPy's; raises AssertionError.
        amount: how much a launch does, in units of ``unit``.
        unit: such as ``GB`` or ``GFLOP``; printed by the second.
    """

    name: str
    launch: Callable[[], Any]
    check: Callable[[], None]
    amount: float
    unit: str


Example = Callable[..., Iterator[Work]]
"""``example(device, size)`` allocates and yields one piece of work after the other; some also take a ``picture``."""


def main(example: Example, size: int, picture: Path | None = None) -> None:
    """The command line of an example.

    Args:
        example: what it does.
        size: the default of ``--size``.
        picture: the default of ``--picture``, where the example draws one.
    """
    arguments = vars(_parser(example, size, picture).parse_args())
    if picture is not None:
        require("PIL")
    selector = arguments.pop("device")
    try:
        device = _device(selector)
        for work in example(device, **arguments):
            work.launch()
            work.check()
            seconds = _seconds(work, device)
            rate = f"{work.amount / seconds:.4g} {work.unit}/s"
            print(f"{work.name}: {device.name}, size {arguments['size']:,}, {1e3 * seconds:.4g} ms, {rate}")
    except (KrnlpyError, OSError) as error:
        sys.exit(f"error: {error}")


def _parser(example: Example, size: int, picture: Path | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=sys.modules[example.__module__].__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--device", default="best", help="best, host, interpreter, an index or part of a name")
    parser.add_argument(
        "--size", type=_positive, default=size, help="of the problem; the interpreter needs a small one"
    )
    if picture is not None:
        parser.add_argument("--picture", type=Path, default=picture, help="where the picture goes")
    return parser


def _device(selector: str) -> Device:
    if selector == "best":
        return Device.best()
    return Device(int(selector) if selector.isdecimal() else selector)


def _seconds(work: Work, device: Device) -> float:
    """The median of some launches, each waited for. The first launch, which compiles, was before."""
    samples: list[float] = []
    while len(samples) < 3 or (len(samples) < LAUNCHES and sum(samples) < SECONDS):
        start = time.perf_counter()
        work.launch()
        device.wait()
        samples.append(time.perf_counter() - start)
    return median(samples)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value
