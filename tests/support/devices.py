"""Which devices tests run on, and what they need of one."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

import krnlpy
import krnlpy.buffers.buffer
import krnlpy.views.view
from krnlpy import Device, DTypeLike, Feature, ScalarType, scalar_type

from .tiers import deep


def requires(device: Device, *needs: Feature | DTypeLike) -> None:
    """Skips the test if the device lacks a feature, or the arithmetic of a scalar type."""
    for need in needs:
        feature = need if isinstance(need, Feature) else _needed_by(scalar_type(need))
        if feature is not None and feature not in device.info.features:
            pytest.skip(f"{device!r} has no {feature}")


def _needed_by(type: ScalarType) -> Feature | None:
    if type.size < 8:
        return None
    return Feature.FLOAT64 if type.is_float else Feature.INT64


def selectors(chosen: list[str]) -> list[tuple[str, Any]]:
    """Names and selectors of the devices that ``--device`` asks for: all there are, if it is not given."""
    infos = krnlpy.devices()
    every: list[tuple[str, Any]] = [("host", "host"), ("interpreter", "interpreter")]
    every += [(f"{i}-{info.name.split()[0]}", i) for i, info in enumerate(infos)]
    if not chosen:
        return every
    found = []
    for wish in chosen:
        matches = [
            (name, selector)
            for name, selector in every
            if wish == str(selector)
            or (isinstance(selector, int) and not wish.isdecimal() and wish.lower() in infos[selector].name.lower())
        ]
        if not matches:
            raise pytest.UsageError(f"--device {wish}: there are {', '.join(name for name, _ in every)}")
        found += matches
    return list(dict.fromkeys(found))


def by_driver(indices: Sequence[int]) -> list[list[int]]:
    """Indices of devices, those of one driver together."""
    found: dict[str, list[int]] = defaultdict(list)
    for index in indices:
        found[krnlpy.devices()[index].driver.split()[0]].append(index)
    return list(found.values())


def device_parameters(metafunc: pytest.Metafunc, found: Sequence[tuple[str, Any]]) -> list[Any]:
    """What a test is parametrized with, which runs on these devices: some of them have it in the deep tier alone.

    Devices of one driver, such as two versions of Mesa's, share the tests: a checksum of a test's name says which of
    them has it for each change. A test for ``one_vulkan_device`` runs on the host and, by the same checksum, by the
    interpreter or on one device. Devices that ``--device`` names have all tests, but of the latter there is one.
    """
    indices = [selector for _, selector in found if isinstance(selector, int)]
    is_driven = metafunc.definition.get_closest_marker("one_vulkan_device") is None
    number = zlib.crc32(metafunc.definition.nodeid.encode())
    first: list[Any] = ["host", "interpreter"]
    if metafunc.config.getoption("--device"):
        first += indices if is_driven else indices[:1]
    elif is_driven:
        first += [group[number % len(group)] for group in by_driver(indices)]
    elif indices:
        first = ["host", "interpreter" if number % 3 == 0 else indices[0]]
    if metafunc.config.getoption("markexpr") == "not deep":  # as it is by default; a third of all tests is not made
        found = [(name, selector) for name, selector in found if selector in first]
    return [pytest.param(s, id=name, marks=[] if s in first else [deep]) for name, s in found]


def limit_reach(device: Device, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a device's kernels reach so many bytes of a buffer; it is an error to bind more."""
    backend: Any = device.backend
    info = replace(device.info, max_binding_bytes=limit)
    for module in (krnlpy.views.view, krnlpy.buffers.buffer):
        monkeypatch.setattr(module, "ALWAYS_BOUND", 0)
    if device.info.backend == "vulkan":
        monkeypatch.setattr(backend._device, "info", info)
        write = backend._descriptors.write
        alignment = info.extra["storage_buffer_alignment"]

        def checked(layout: Any, key: Any, places: Any) -> Any:
            assert all(offset % alignment == 0 and nbytes <= limit for _, offset, nbytes in places)
            return write(layout, key, places)

        monkeypatch.setattr(backend._descriptors, "write", checked)
    else:
        name = "_info" if hasattr(backend, "_info") else "info"
        monkeypatch.setattr(backend, name, info)
