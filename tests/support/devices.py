"""Which devices tests run on, and what they need of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import krnlpy
import krnlpy.views.view
from krnlpy import Device, DTypeLike, Feature, ScalarType, scalar_type


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


def limit_reach(device: Device, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a device's kernels reach so many bytes of a buffer; it is an error to bind more."""
    backend: Any = device.backend
    info = replace(device.info, max_binding_bytes=limit)
    monkeypatch.setattr(krnlpy.views.view, "_ALWAYS_BOUND", 0)
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
