"""Wrong launches of right kernels: an argument, a spec or the geometry is not what the kernel takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from krnlpy import Buffer, CompileError, Device, Kernel, KrnlpyError, config, f32, i64, u8

from .case import Case
from .kinds import Draw
from .run import TooLong, time_limit

ODD: tuple[Any, ...] = (
    None, "text", b"bytes", 1.5, -1, 2**31, 2**64, -(2**70), 10**400, True, float("nan"), float("inf"), 1e300, 1j,
    [], {},
    (1, 2), object(), np.float32(1.5), np.int8(-3), np.bool_(True), np.zeros(3), np.zeros((2, 2), np.float32),
    np.complex64(1),
    np.datetime64(1, "s"), f32, int, len, np.array(5), np.array(["x"]),
)  # fmt: skip
GEOMETRIES: tuple[tuple[Any, ...], ...] = (
    (), (0,), (-1,), (1.5,), ("x",), (None,), (True,), (2**31,), (2**40,), (1, 2, 3, 4), (1, 0), (1, 1, -1),
    (10**9, 1, 1),
    (1, 100000, 1), (np.int64(2),), ((1, 2),), (0, 0, 0), (1, 1, 2**20),
)  # fmt: skip


def break_launch(case: Case, random: Draw, devices: list[Device]) -> str | None:
    """Launches a kernel wrongly; says what came out if it is no error of ours."""
    if not devices:
        devices = [Device.interpreter()]
    device = random.choice([Device.interpreter(), *devices])
    # An unchecked kernel promises that no index is out of range: in a smaller buffer it would be.
    case = case.with_source(case.source.replace(", unchecked=True", ""))
    loaded = case.load()
    before = config.debug
    what = random.choice(list(_BREAKS))
    try:
        with warnings.catch_warnings(), time_limit(20):
            warnings.simplefilter("error")
            arguments = case.bound(case.buffers(device))
            text = _BREAKS[what](case, random, loaded, arguments, device)
            device.wait()
    except CompileError as error:
        return f"{what}: an internal error: {error}"
    except (KrnlpyError, TooLong) as error:
        return None if str(error) or isinstance(error, TooLong) else f"{what}: an error without a message"
    except Exception as error:
        if what in ("with_threads", "with_groups", "with_global_threads") and isinstance(error, TypeError):
            return None  # Python's own: too few or too many arguments
        return f"{what}: {type(error).__name__} escapes: {error}"
    finally:
        config.debug = before
    return text


def _odd_argument(case: Case, random: Draw, kernel: Kernel, arguments: dict[str, Any], device: Device) -> None:
    arguments[random.choice(list(arguments))] = random.choice(ODD)
    case.launcher(kernel)(**arguments)


def _missing(case: Case, random: Draw, kernel: Kernel, arguments: dict[str, Any], device: Device) -> None:
    del arguments[random.choice(list(arguments))]
    case.launcher(kernel)(**arguments)


def _extra(case: Case, random: Draw, kernel: Kernel, arguments: dict[str, Any], device: Device) -> None:
    if random.chance(0.5):
        case.launcher(kernel)(*arguments.values(), random.choice(ODD))
    case.launcher(kernel)(**arguments, nothing=random.choice(ODD))


def _twice(case: Case, random: Draw, kernel: Kernel, arguments: dict[str, Any], device: Device) -> None:
    first = next(iter(arguments))
    case.launcher(kernel)(*arguments.values(), **{first: arguments[first]})


def _other_buffer(case: Case, random: Draw, kernel: Kernel, arguments: dict[str, Any], device: Device) -> None:
    name = random.choice([n for n, a in arguments.items() if isinstance(a, Buffer)])
    old = arguments[name]
    arguments[name] = random.choice(
        (
            lambda: Buffer.zeros(old.shape, random.choice((f32, u8, i64)), device),
            lambda: Buffer.zeros((*old.shape, 2), old.dtype, device),
            lambda: Buffer.zeros((0,) * old.ndim, old.dtype, device),
            lambda: Buffer.zeros((1,) * old.ndim, old.dtype, device),
            lambda: Buffer.zeros((), old.dtype, device),
            lambda: Buffer.zeros(old.shape, old.dtype, Device.interpreter()),
            lambda: Buffer.zeros(old.shape, old.dtype, Device.host()),
            lambda: Buffer.zeros((1,) * old.ndim, old.dtype, device).broadcast_to(old.shape),
            lambda: random.choice([a for a in arguments.values() if isinstance(a, Buffer)]),
        )
    )()
    case.launcher(kernel)(**arguments)


def _specs(case: Case, random: Draw, kernel: Kernel, arguments: dict[str, Any], device: Device) -> None:
    names = [*case.specs, "S0", "nothing", *arguments]
    case.launcher(kernel).specialize(**{random.choice(names): random.choice(ODD)})(**arguments)


def _geometry(method: str) -> Callable[..., None]:
    def launch(case: Case, random: Draw, kernel: Kernel, arguments: dict[str, Any], device: Device) -> None:
        numbers = random.choice(GEOMETRIES)
        changed = getattr(case.launcher(kernel), method)(*numbers)
        if not any(isinstance(n, int) and n > 1000 for n in numbers):  # a huge one may be right, and takes long
            changed(**arguments)

    return launch


_BREAKS: dict[str, Callable[..., str | None]] = {
    "odd_argument": _odd_argument,
    "missing": _missing,
    "extra": _extra,
    "twice": _twice,
    "other_buffer": _other_buffer,
    "specs": _specs,
    "with_threads": _geometry("with_threads"),
    "with_groups": _geometry("with_groups"),
    "with_global_threads": _geometry("with_global_threads"),
}
