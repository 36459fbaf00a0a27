"""The Vulkan loader, and how it is called: raw functions, structures that keep alive what they point to, results.

The declarations are those of the ``vulkan`` package, whose wrappers are not used: they take some 7 microseconds a call
where the raw functions take 0.5, and free nested structures that are still pointed to.
"""

from __future__ import annotations

import functools
import re
import weakref
from collections.abc import Iterable
from typing import Any

from krnlpy.errors import DeviceLost, DeviceUnavailable, OutOfMemory

from .loader import open_loader

WHOLE_SIZE = 0xFFFFFFFFFFFFFFFF
"""VK_WHOLE_SIZE, which is not a member of an enumeration."""

_OUT_OF_MEMORY = (
    *("VK_ERROR_OUT_OF_HOST_MEMORY", "VK_ERROR_OUT_OF_DEVICE_MEMORY", "VK_ERROR_OUT_OF_POOL_MEMORY"),
    *("VK_ERROR_FRAGMENTED_POOL", "VK_ERROR_FRAGMENTATION", "VK_ERROR_MEMORY_MAP_FAILED", "VK_ERROR_TOO_MANY_OBJECTS"),
)

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?=[0-9])")


class Functions:
    """Raw entry points of an instance or a device, as attributes."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} was not loaded")


class Api:
    """The loader: ``ffi`` and ``lib`` of cffi, and the members of enumerations as attributes (``api.VK_SUCCESS``)."""

    def __init__(self, ffi: Any, lib: Any) -> None:
        self.ffi = ffi
        self.lib = lib
        self._structures: dict[str, tuple[Any, dict[str, Any], int | None]] = {}
        # A structure holds what it points to for as long as it lives itself.
        self._referenced: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("VK_"):
            raise AttributeError(name)
        value = getattr(self.lib, name)
        setattr(self, name, value)
        return value

    def struct(self, type: str, **fields: Any) -> Any:
        """A new structure (a pointer owning it) with ``sType`` set, zero but for ``fields``.

        A field takes numbers and handles; text; structures made by this function, for pointers and for structures
        inside; and sequences of any of these for pointers to arrays.
        """
        pointer, types, number = self._structure(type)
        new = self.ffi.new(pointer)
        references: list[Any] = []
        if number is not None:
            new.sType = number
        for name, value in fields.items():
            setattr(new, name, self._value(types[name], value, references))
        self._referenced[new] = references
        return new

    def _structure(self, type: str) -> tuple[Any, dict[str, Any], int | None]:
        """Of a structure: its pointer's type, its fields' types, and its ``sType`` if it has one."""
        if type not in self._structures:
            types = {name: field.type for name, field in self.ffi.typeof(type).fields or ()}
            number = getattr(self, _structure_type(type)) if "sType" in types else None
            self._structures[type] = self.ffi.typeof(f"{type} *"), types, number
        return self._structures[type]

    def _value(self, type: Any, value: Any, references: list[Any]) -> Any:
        if isinstance(value, str):
            value = self.ffi.new("char[]", value.encode())
        elif isinstance(value, list | tuple):
            items = [self._value(type.item, v, references) for v in value]
            value = self.ffi.new(f"{type.item.cname}[]", items) if items else self.ffi.NULL
        elif type.kind == "struct":  # copied, while what it points to must stay
            references.append(value)
            return value[0]
        if isinstance(value, self.ffi.CData):
            references.append(value)
        return value

    def new(self, type: str, value: Any = None) -> Any:
        """Memory for a C type, as ``ffi.new``; of an array of structures, each with ``sType`` set."""
        new = self.ffi.new(type, value)
        name, bracket, _ = type.partition("[")
        if bracket and name.startswith("Vk") and self.ffi.typeof(name).kind == "struct":
            number = self._structure(name)[2]
            if number is not None:
                for i in range(len(new)):
                    new[i].sType = number
        return new

    def text(self, characters: Any) -> str:
        """A C string, or array of characters, as Python text."""
        return str(self.ffi.string(characters).decode(errors="replace"))

    def enumerate(self, type: str, function: Any, *arguments: Any) -> list[Any]:
        """What a function lists that is called for the count first. The items point into one array."""
        doing = f"list {type.removeprefix('Vk')}"
        count = self.ffi.new("uint32_t *")
        result = self.VK_INCOMPLETE
        while result == self.VK_INCOMPLETE:  # there are more than there were when they were counted
            self.check(function(*arguments, count, self.ffi.NULL), doing)
            items = self.new(f"{type}[]", count[0])
            result = function(*arguments, count, items)
        self.check(result, doing)
        return [items[i] for i in range(count[0])]

    def functions(self, names: Iterable[str], get: Any, handle: Any) -> Functions:
        """Entry points by their names, from ``vkGetInstanceProcAddr`` or ``vkGetDeviceProcAddr``."""
        functions = Functions()
        for name in names:
            pointer = get(handle, name.encode())
            if pointer == self.ffi.NULL:
                raise DeviceUnavailable(f"the Vulkan driver has no function {name}")
            setattr(functions, name, self.ffi.cast(f"PFN_{name}", pointer))
        return functions

    def check(self, result: int | None, doing: str) -> None:
        """Raises the error that a result stands for, if it stands for one.

        Raises:
            OutOfMemory: host or device memory ran out.
            DeviceLost: the device stopped answering.
            DeviceUnavailable: anything else.
        """
        if not result or result > 0:  # positive results are kinds of success
            return
        if result == self.VK_ERROR_DEVICE_LOST:
            raise DeviceLost(f"the device was lost: {doing}")
        if result in [getattr(self, name) for name in _OUT_OF_MEMORY]:
            raise OutOfMemory(f"no memory is left to {doing} ({self.result_name(result)})")
        raise DeviceUnavailable(f"Vulkan cannot {doing}: {self.result_name(result)}")

    def result_name(self, result: int) -> str:
        """The name of a VkResult."""
        return str(self.ffi.typeof("VkResult").elements.get(result, f"VkResult {result}"))


def _structure_type(type: str) -> str:
    words = _WORDS.sub("_", type.removeprefix("Vk")).upper()
    words = words.replace("VULKAN_11", "VULKAN_1_1").replace("VULKAN_12", "VULKAN_1_2")
    return f"VK_STRUCTURE_TYPE_{words}"


@functools.cache
def load() -> Api:
    """The loader of this process.

    Raises:
        DeviceUnavailable: there is none; says what to install.
    """
    return Api(*open_loader())
