"""What stands between krnlpy and Vulkan: counts calls and living objects, and fails the call that it is told to.

A call that fails does nothing, as the specification wants it of all but the loss of a device. A device that is lost
stays lost: every further call that can say so says it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import krnlpy.device
from krnlpy.vulkan.loading import api as vulkan_api

from .codes import CODES, LOST

vulkan_instance: Any = sys.modules["krnlpy.vulkan.loading.instance"]

_ALLOCATES = {"vkAllocateMemory": "VkDeviceMemory"}
_FREES = {"vkFreeMemory": "VkDeviceMemory"}
_WAITS = ("vkDeviceWaitIdle", "vkWaitSemaphores", "vkQueueWaitIdle")

Site = tuple[str, ...]
"""The function called, and the functions of krnlpy's that led to the call, innermost first."""


@dataclass
class Fault:
    """A call at ``site`` returns ``code``: the one before which ``skipped`` calls were made there.

    Attributes:
        is_hit: whether the call was made.
    """

    site: Site
    skipped: int
    code: str
    is_hit: bool = False

    def __str__(self) -> str:
        return f"{self.code} of call {self.skipped} at {' < '.join(self.site)}"


@dataclass
class Layer:
    """Wraps Vulkan's functions.

    Attributes:
        sites: where calls were made that can fail, and how often.
        calls: how often each function was called.
        alive: handles of the objects that exist, by type.
        strangers: handles that were destroyed without being alive.
        is_discrete: whether the device's own memory is to look as though the host could not use it directly.
    """

    is_discrete: bool = False
    records_sites: bool = True
    fault: Fault | None = None
    sites: Counter[Site] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    alive: Counter[tuple[str, int]] = field(default_factory=Counter)
    strangers: list[str] = field(default_factory=list)
    _lost: set[int] = field(default_factory=set)
    _devices: dict[int, Any] = field(default_factory=dict)  # by queue
    _idle: dict[int, Callable[[Any], int]] = field(default_factory=dict)  # by device

    def counts(self) -> dict[str, int]:
        """How many objects of each type are alive."""
        return dict(Counter(type for (type, _), count in self.alive.items() for _ in range(count)))

    def wrap(self, api: Any, name: str, function: Any) -> Any:
        """The function, watched."""
        ffi = api.ffi
        can_fail = ffi.typeof(function).result.cname == "enum VkResult"
        if can_fail and name not in CODES:
            raise KeyError(f"{name} returns VkResult: say in codes.py which")

        def number(handle: Any) -> int:
            return int(ffi.cast("uintptr_t", handle))

        def call(*arguments: Any) -> Any:
            self.calls[name] += 1
            if can_fail:
                code = self._failing(name)
                key = number(arguments[0]) if arguments and isinstance(arguments[0], ffi.CData) else 0
                device = number(self._devices.get(key, arguments[0])) if key else 0
                if code == LOST and device in self._idle:
                    self._lost.add(device)
                if code is None and device in self._lost and LOST in CODES[name]:
                    code = LOST
                if code is not None:
                    if code == LOST and device in self._idle:
                        self._idle[device](ffi.cast("VkDevice", device))  # what was queued still runs
                    return getattr(api, code)
            elif name.startswith("vkDestroy") or name in _FREES:
                self._forget(name, [a if isinstance(a, int) else number(a) for a in arguments])
            result = function(*arguments)
            if name == "vkGetDeviceQueue":
                self._devices[number(arguments[3][0])] = arguments[0]
            elif name == "vkGetPhysicalDeviceMemoryProperties" and self.is_discrete:
                for i in range(arguments[1].memoryTypeCount):
                    arguments[1].memoryTypes[i].propertyFlags &= ~8  # VK_MEMORY_PROPERTY_HOST_CACHED_BIT
            elif can_fail and result == 0:
                self._remember(name, arguments, number)
            return result

        return call

    def _failing(self, name: str) -> str | None:
        if not self.records_sites:
            return None
        site = (name, *_stack())
        skipped = self.sites[site]
        self.sites[site] += 1
        fault = self.fault
        if fault is None or fault.site != site or fault.skipped != skipped:
            return None
        fault.is_hit = True
        return fault.code

    def _remember(self, name: str, arguments: tuple[Any, ...], number: Callable[[Any], int]) -> None:
        if name.startswith("vkCreate"):
            kind = name.removeprefix("vkCreate").removesuffix("s").replace("ComputePipeline", "Pipeline")
            self.alive[f"Vk{kind}", number(arguments[-1][0])] += 1
        elif name in _ALLOCATES:
            self.alive[_ALLOCATES[name], number(arguments[-1][0])] += 1

    def _forget(self, name: str, handles: list[int]) -> None:
        kind = _FREES.get(name) or f"Vk{name.removeprefix('vkDestroy')}"
        handle = handles[0] if kind in ("VkDevice", "VkInstance") else handles[1]
        if not handle:
            return
        key = kind, handle
        if not self.alive[key]:
            self.strangers.append(f"{kind} {handle:#x}")
        self.alive[key] -= 1
        if self.alive[key] <= 0:
            del self.alive[key]
        self._lost.discard(handle)
        self._idle.pop(handle, None)

    def watch_idle(self, device: int, wait: Callable[[Any], int]) -> None:
        """Keeps how to wait for a device behind its back."""
        self._idle[device] = wait


def _stack() -> Iterator[str]:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if "/krnlpy/" in code.co_filename.replace("\\", "/") and "/tests/" not in code.co_filename:
            yield f"{code.co_filename.replace(chr(92), '/').rpartition('/krnlpy/')[2]}:{frame.f_lineno} {code.co_name}"
        frame = frame.f_back


class _Library:
    """The loader's own functions, watched."""

    def __init__(self, layer: Layer, api: Any, lib: Any) -> None:
        self._parts = layer, api, lib

    def __getattr__(self, name: str) -> Any:
        layer, api, lib = self._parts
        value = getattr(lib, name)
        if name.startswith("vk"):
            value = layer.wrap(api, name, value)
        setattr(self, name, value)
        return value


@contextmanager
def injected(layer: Layer) -> Iterator[Layer]:
    """Runs with a Vulkan instance, and devices, of which every call goes through the layer."""
    api: Any = vulkan_api.load()
    load_functions, lib = api.functions, api.lib

    def functions(names: Any, get: Any, handle: Any) -> Any:
        found = load_functions(names, get, handle)
        for name, function in vars(found).items():
            if name == "vkDeviceWaitIdle":
                layer.watch_idle(int(api.ffi.cast("uintptr_t", handle)), function)
            setattr(found, name, layer.wrap(api, name, function))
        return found

    before = vulkan_instance._instance, krnlpy.device._backends
    api.lib, api.functions = _Library(layer, api, lib), functions
    vulkan_instance._instance, krnlpy.device._backends = None, {}
    try:
        yield layer
    finally:
        close()
        vulkan_instance._instance, krnlpy.device._backends = before
        api.lib = lib
        del api.functions


def close() -> None:
    """Closes all devices and the instance, as the end of a process does."""
    krnlpy.device._close_all()
    vulkan_instance._close()
