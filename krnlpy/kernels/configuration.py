"""What is fixed of a kernel's launches, as data: what it is compiled for, and how many groups are launched."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from krnlpy.device_info import DeviceInfo
from krnlpy.errors import LaunchError, LimitExceeded

if TYPE_CHECKING:
    from krnlpy.dsl.ir import Program
    from krnlpy.views.view import View

Triple = tuple[int, int, int]

DEFAULT_THREADS: Triple = (256, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Configuration:
    """What a kernel is compiled for, beside types and device.

    Attributes:
        threads: of a group, along x, y and z; None: as many as :func:`default_threads` says.
        specs: the values that were given for ``Spec`` parameters, by name.
        key: equal where both are.
    """

    threads: Triple | None = None
    specs: Mapping[str, Any] = field(default_factory=dict)
    key: tuple[Any, ...] = field(init=False)

    def __post_init__(self) -> None:
        # Values by their repr: 1, 1.0 and True are equal, as are 0.0 and -0.0, and NaN not even to itself.
        key = (self.threads, *((name, repr(value)) for name, value in sorted(self.specs.items())))
        object.__setattr__(self, "specs", MappingProxyType(dict(self.specs)))
        object.__setattr__(self, "key", key)

    def named(self, name: str) -> str:
        """A kernel's name with the constants that were given, as it stands in logs, profiles and errors."""
        constants = ", ".join(f"{spec}={value}" for spec, value in self.specs.items())
        return f"{name}[{constants}]" if constants else name


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """How many groups are launched. At most one is given; none: the items say it.

    Attributes:
        groups: along x, y and z.
        global_threads: at least so many threads, in whole groups.
        counts: three u32 on the device, which are read when the launch runs.
    """

    groups: Triple | None = None
    global_threads: Triple | None = None
    counts: View | None = None


def checked_axes(kernel: str, what: str, numbers: tuple[Any, Any, Any], least: int, has_items: bool) -> Triple:
    """Numbers along x, y and z, as ints. Raises LaunchError if they are not integers, or don't suit the kernel."""
    x, y, z = numbers
    if not (x.__class__ is y.__class__ is z.__class__ is int):
        try:
            if any(isinstance(n, bool) for n in numbers):
                raise TypeError
            x, y, z = map(operator.index, numbers)
        except TypeError:
            raise LaunchError(f"{kernel}: {what} {numbers}: expected integers") from None
    if min(x, y, z) < least:
        raise LaunchError(f"{kernel}: {what} {numbers}: expected numbers of at least {least}")
    if has_items and (y, z) != (1, 1):
        raise LaunchError(f"{kernel}: {what} {numbers}: a kernel with items has one axis")
    return x, y, z


def default_threads(program: Program, info: DeviceInfo) -> Triple:
    """The threads of a group if none were chosen: fewer than usual on devices that have no more, unless the kernel
    could have been written for a certain number."""
    if program.group_arrays or program.has_barriers:
        return DEFAULT_THREADS
    return min(DEFAULT_THREADS[0], info.max_threads, info.max_threads_xyz[0]), 1, 1


def check_threads(kernel: str, threads: Triple, info: DeviceInfo) -> None:
    """Raises LimitExceeded unless the device has groups of so many threads."""
    if prod(threads) > info.max_threads or any(n > m for n, m in zip(threads, info.max_threads_xyz, strict=True)):
        raise LimitExceeded(
            f"{kernel}: groups of {threads} are {prod(threads)} threads; {info.name} has at most {info.max_threads} a"
            f" group and {info.max_threads_xyz} along x, y and z; choose by threads= or .with_threads()"
        )
