"""Compiles the kernels of a package into PACKAGE/krnlpy-kernels.cbor, which the package ships: where it is installed,
they need no GLSL compiler. With --check, says which kernels changed since, and fails if there are any.

A package says which of its kernels it ships, for which types and layouts of buffers, by using them: by the function
workload(device) of its module krnlpy_workload. It is run on a device that compiles for every kind of GPU and executes
nothing. Without it, every kernel that a module of the package has is compiled for all types that its type variables
list, and for contiguous buffers. A module that cannot be imported, say for want of a package that it needs, is left
out, and named; but for the workload and what it imports.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import itertools
import pkgutil
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

from krnlpy.cache import shipped
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.spirv import module as spirv
from krnlpy.errors import InspectionError, KernelError
from krnlpy.kernels.configuration import DEFAULT_THREADS
from krnlpy.kernels.kernel import Kernel
from krnlpy.tuning.autotune import TunedKernel

from .compile_backend import CompileBackend
from .inspect import load_module

WORKLOAD = "krnlpy_workload"
_KINDS: Final = ("discrete", "cpu")
"""Of devices: packages do some things in different ways on them."""

_LISTED = 20
"""Names of a line: a new version of krnlpy may change all kernels."""

Shaders = Mapping[str, tuple[str, str]]
"""GLSL by its content hash, with the kernel's name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument("package", metavar="PACKAGE", help="the name of a package that can be imported")
    parser.add_argument("--check", action="store_true", help="only compare; exit with 1 if the file is not up to date")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the file (default: where it is looked for)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Writes or checks the file; returns 1 where it is not up to date or a kernel does not compile, 2 where the package
    cannot be used."""
    package = arguments.package
    try:
        folder = _folder(package)
        shaders, unused, left_out = collect(package, folder)
        for reason in left_out:
            print(f"left out: {reason}", file=sys.stderr)
        if not shaders:
            raise InspectionError(f"{package} has no kernel to ship")
        path = arguments.output or folder / shipped.FILE
        if arguments.check:
            return _check(path, package, shaders)
        modules: dict[str, dict[str, bytes]] = {}
        for content, (name, source) in shaders.items():
            modules.setdefault(name, {})[content] = spirv.compile_unless_cached(source, name)
        shipped.write(path, package, itertools.starmap(shipped.Group.of, modules.items()))
    except KernelError as error:
        print(error, file=sys.stderr)
        return 1
    except (InspectionError, OSError) as error:
        print(f"krnlpy compile: {error}", file=sys.stderr)
        return 2
    size = path.stat().st_size
    print(f"{path}: {len(shaders)} modules of {len(modules)} kernels, {size} bytes")
    if unused:
        print(f"not in it: {', '.join(unused)}")
    return 0


def collect(package: str, folder: Path) -> tuple[Shaders, list[str], list[str]]:
    """The shaders that a package ships, the names of kernels without any, and why modules are left out.

    Raises:
        InspectionError: it, or its workload, cannot be imported. KernelError: a kernel is not valid.
    """
    backends = [CompileBackend(kind, folder) for kind in _KINDS]
    left_out: list[str] = []
    kernels = dict(_kernels(package, left_out))
    if importlib.util.find_spec(f"{package}.{WORKLOAD}") is not None:
        workload = load_module(f"{package}.{WORKLOAD}")
        for backend in backends:
            workload.workload(backend.device())
    else:
        for kernel in kernels.values():
            _add_all_types(kernel, backends[0])
    shaders = {content: shader for backend in backends for content, shader in backend.shaders.items()}
    return shaders, [name for name, kernel in kernels.items() if not kernel.definition.programs], left_out


def _folder(package: str) -> Path:
    load_module(package)
    folder = shipped.folder_of(package)
    if folder is None or "." in package:
        raise InspectionError(f"{package} is not a package: expected a folder with an __init__.py, named without dots")
    return folder.resolve()


def _kernels(package: str, left_out: list[str]) -> Iterator[tuple[str, Kernel]]:
    """The kernels that the modules of a package have, by module and name; of modules that cannot be imported, why."""
    for module in _modules(load_module(package), left_out):
        for name, value in vars(module).items():
            if isinstance(value, TunedKernel):
                value = value.kernel  # which the shaders of all configurations are those of
            if isinstance(value, Kernel) and value.signature.function.__module__ == module.__name__:
                yield f"{module.__name__}.{name}", value


def _modules(module: ModuleType, left_out: list[str]) -> Iterator[ModuleType]:
    """A module and, of a package, those in it."""
    yield module
    for found in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{module.__name__}."):
        if found.name.endswith(".__main__"):
            continue
        try:
            inner = load_module(found.name)
        except InspectionError as error:
            left_out.append(str(error))
        else:
            yield from _modules(inner, left_out)


def _add_all_types(kernel: Kernel, backend: CompileBackend) -> None:
    definition = kernel.definition
    variables = definition.signature.type_variables
    for types in itertools.product(*(variable.__constraints__ for variable in variables)):
        program = definition.program(dict(zip(variables, types, strict=True)), kernel.configuration.threads)
        threads = kernel.configuration.threads or DEFAULT_THREADS
        backend.add(program, Variant(0, (True,) * len(program.buffers)), threads)


def _check(path: Path, package: str, shaders: Shaders) -> int:
    try:
        found = {content: group.name for group in shipped.read(path, package) for content in group.contents}
    except (OSError, ValueError) as error:
        print(f"krnlpy compile: {error}", file=sys.stderr)
        return 1
    missing = {name for content, (name, _) in shaders.items() if content not in found}
    stale = {name for content, name in found.items() if content not in shaders}
    if not missing and not stale:
        print(f"{path} is up to date: {len(found)} modules")
        return 0
    for what, names in (("new", missing - stale), ("changed", missing & stale), ("gone", stale - missing)):
        if names:
            print(f"{what}: {_listed(names)}", file=sys.stderr)
    print(f"{path} is not up to date; `krnlpy compile {package}` makes it anew", file=sys.stderr)
    return 1


def _listed(names: Collection[str]) -> str:
    rest = len(names) - _LISTED
    return ", ".join(sorted(names)[:_LISTED]) + (f" and {rest} more" if rest > 0 else "")
