"""``krnlpy inspect module:kernel``: finds a kernel by its name and prints a stage of its compilation."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from krnlpy.device import Device
from krnlpy.errors import InspectionError, KernelError, KrnlpyError
from krnlpy.kernels import inspection
from krnlpy.kernels.kernel import Kernel
from krnlpy.tuning.autotune import TunedKernel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument("kernel", metavar="MODULE:KERNEL", help="a module's name or a file's path, and the kernel's")
    parser.add_argument("--stage", default="glsl", help=f"{', '.join(inspection.STAGES)} (default: glsl)")
    parser.add_argument(
        "--types",
        action="append",
        default=[],
        metavar="T=TYPE,...",
        help="types for type variables (default: f32 where it is allowed)",
    )
    parser.add_argument(
        "--spec", action="append", default=[], metavar="NAME=VALUE", help="value of a Spec parameter; may be repeated"
    )
    parser.add_argument("--threads", metavar="X[,Y[,Z]]", help="threads of a group")
    parser.add_argument("--device", help="the device to compile for (default: one that has every feature)")
    parser.add_argument("--strided", action="store_true", help="for buffers that are not contiguous")
    parser.add_argument("--debug", action="store_true", help="with checks of every index, as under KRNLPY_DEBUG")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the stage; returns 2 for what can't be asked for, 1 for a kernel that is not valid."""
    try:
        kernel = find_kernel(arguments.kernel)
        specs = {name: _number(name, value) for name, value in _pairs("--spec", arguments.spec)}
        if specs:
            kernel = kernel.specialize(**specs)
        if arguments.threads is not None:
            kernel = kernel.with_threads(*_threads(arguments.threads))
        device = None
        if arguments.device is not None:
            device = Device(int(arguments.device) if arguments.device.isdecimal() else arguments.device)
        text = kernel.inspect(
            arguments.stage,
            types=dict(_pairs("--types", arguments.types)),
            device=device,
            strided=arguments.strided,
            debug=arguments.debug,
        )
    except KernelError as error:
        print(error, file=sys.stderr)
        return 1
    except KrnlpyError as error:
        print(f"krnlpy inspect: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0


def _plain(kernel: Kernel | TunedKernel) -> Kernel:
    """A kernel itself, a tuned one with its first configuration."""
    return kernel if isinstance(kernel, Kernel) else kernel.with_config(kernel.configs[0])


def find_kernel(name: str) -> Kernel:
    """The kernel that ``module:kernel`` or ``path/to/file.py:kernel`` names.

    Raises:
        InspectionError: no such module or kernel; says which kernels there are.
    """
    place, _, kernel = name.rpartition(":")
    if not place or not kernel.isidentifier():
        place, kernel = name.rstrip(":"), ""
    module = load_module(place)
    found = {k: _plain(v) for k, v in vars(module).items() if isinstance(v, Kernel | TunedKernel)}
    if kernel not in found:
        asked = f"no kernel {kernel}" if kernel else "expected MODULE:KERNEL"
        raise InspectionError(f"{asked}; the kernels of {place} are {', '.join(found) or 'none'}")
    return found[kernel]


def load_module(place: str) -> ModuleType:
    """The module of a name or of a file's path.

    Raises:
        InspectionError: it can't be imported. KernelError: it has a kernel that is not valid.
    """
    # As `python file.py` and `python -m module` find the modules beside.
    is_file = place.endswith(".py")
    path = Path(place).resolve()
    if is_file and path.exists() and not path.is_file():
        raise InspectionError(f"{place} cannot be imported: it is not a plain file")
    sys.path.insert(0, str(path.parent) if is_file else "")
    try:
        if not is_file:
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module
    except KernelError:
        raise
    except (Exception, SystemExit) as error:
        # Whatever the module's own code raises; a report in one line, with its class.
        said = " ".join(str(error).split())
        raise InspectionError(f"{place} cannot be imported: {type(error).__name__}: {said}") from error
    finally:
        sys.path.pop(0)


def _pairs(option: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in ",".join(texts).split(",") if texts else ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InspectionError(f"{option} {text}: expected NAME=VALUE")
        pairs.append((name.strip(), value.strip()))
    return pairs


def _number(name: str, text: str) -> int | float | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for read in (lambda t: int(t, 0), float):
        try:
            value: int | float = read(text)
        except ValueError:
            continue
        return value
    raise InspectionError(f"--spec {name}={text}: expected a number, true or false")


def _threads(text: str) -> list[int]:
    parts = text.split(",")
    if not all(p.strip().isdecimal() for p in parts) or len(parts) > 3:
        raise InspectionError(f"--threads {text}: expected one to three numbers, such as 16,16")
    return [int(p) for p in parts]
