"""MoltenVK: a device that is not all of Vulkan is listed only if asked for, and must be opened with its subset."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from krnlpy import config
from krnlpy.errors import DeviceUnavailable
from krnlpy.vulkan.loading import description
from krnlpy.vulkan.loading.api import Api, load
from krnlpy.vulkan.loading.instance import _create, instance

PORTABILITY = "VK_KHR_portability_enumeration"
SUBSET = "VK_KHR_portability_subset"


class Loader:
    """A loader with certain extensions, which keeps what an instance is created with."""

    def __init__(self, extensions: list[str], result: int = 0) -> None:
        try:
            self._api = load()
        except DeviceUnavailable:
            pytest.skip("no Vulkan loader, whose declarations the fake borrows")
        self.extensions, self.result = extensions, result
        self.created: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api.lib, name)

    def vkGetInstanceProcAddr(self, handle: Any, name: bytes) -> Any:  # noqa: N802
        return self._api.ffi.cast("void *", 16)

    def vkEnumerateInstanceLayerProperties(self, count: Any, items: Any) -> int:  # noqa: N802
        count[0] = 0
        return 0

    def vkEnumerateInstanceExtensionProperties(self, layer: Any, count: Any, items: Any) -> int:  # noqa: N802
        return listed(self._api, self.extensions, count, items)

    def vkCreateInstance(self, info: Any, allocator: Any, created: Any) -> int:  # noqa: N802
        names = info.ppEnabledExtensionNames[0 : info.enabledExtensionCount] if info.enabledExtensionCount else []
        self.created = {"flags": info.flags, "extensions": [self._api.text(name) for name in names]}
        return self.result


def listed(api: Api, names: list[str], count: Any, items: Any) -> int:
    """Answers a call that lists extensions."""
    count[0] = len(names)
    if items != api.ffi.NULL:
        for item, name in zip(items[0 : len(names)], names, strict=True):
            item.extensionName = name.encode()
    return 0


@pytest.fixture(autouse=True)
def no_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "validate", False)


@pytest.mark.parametrize("extensions", [[], ["VK_KHR_surface"], ["VK_KHR_surface", PORTABILITY]])
def test_devices_of_a_subset_are_asked_for(extensions: list[str]) -> None:
    library = Loader(extensions)
    _create(Api(load().ffi, library))
    expected = [PORTABILITY] if PORTABILITY in extensions else []
    assert library.created == {"flags": len(expected), "extensions": expected}


@pytest.mark.parametrize(("system", "line"), [("linux", "apt install"), ("darwin", "molten-vk"), ("win32", "winget")])
def test_no_driver(system: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaders without a driver refuse to create an instance."""
    library = Loader([], load().VK_ERROR_INCOMPATIBLE_DRIVER)
    monkeypatch.setattr(sys, "platform", system)
    with pytest.raises(DeviceUnavailable, match=f"found no driver.*{line}"):
        _create(Api(load().ffi, library))


def test_the_subset_is_enabled_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The specification demands it; elsewhere asking for it would be an error."""
    found = instance()
    if not found.devices:
        pytest.skip("no Vulkan device")
    real = found.devices[0]
    assert SUBSET not in real.extensions
    own = [
        found.api.text(e.extensionName)
        for e in found.api.enumerate(
            "VkExtensionProperties",
            found.functions.vkEnumerateDeviceExtensionProperties,
            real.handle,
            found.api.ffi.NULL,
        )
    ]

    def with_subset(handle: Any, layer: Any, count: Any, items: Any) -> int:
        return listed(found.api, [*own, SUBSET], count, items)

    monkeypatch.setattr(found.functions, "vkEnumerateDeviceExtensionProperties", with_subset)
    described = description.describe(found.api, found.functions, real.handle, 0)
    assert isinstance(described, description.PhysicalDevice)
    assert described.extensions == (SUBSET, *real.extensions)
    assert described.info == real.info
