"""What happens to kernels, as data for hooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from krnlpy.device import Device

from .configuration import Configuration, Geometry


@dataclass(frozen=True, slots=True)
class Compilation:
    """A kernel was built for a device.

    Attributes:
        kernel: its name.
        device: the device.
        configuration: threads of a group, and values of ``Spec`` parameters, as far as they were given.
        seconds: how long the device's code took to make or to load, on the host's clock.
        from_cache: whether the code was found, in the cache on disk or among what a package ships. False on the
            interpreter, which keeps none.
    """

    kernel: str
    device: Device
    configuration: Configuration
    seconds: float
    from_cache: bool


@dataclass(frozen=True, slots=True)
class Launch:
    """A call of a kernel was queued.

    Attributes:
        kernel: its name.
        device: the device.
        configuration: threads of a group, and values of ``Spec`` parameters, as far as they were given.
        geometry: how many groups, as far as that was given; a kernel with items needs none.
    """

    kernel: str
    device: Device
    configuration: Configuration
    geometry: Geometry


def tell(hooks: list[Any], event: Compilation | Launch) -> None:
    """Calls all hooks, first those that came first."""
    for hook in tuple(hooks):
        hook.callback(event)
