"""Runs kernels on the host's backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from krnlpy.host import open_host
from krnlpy.scalar import ScalarType
from tests.support.launching import Dimensions, Launcher


def launch(
    kernel: Callable[..., Any],
    *arguments: Any,
    types: Mapping[TypeVar, ScalarType] | None = None,
    threads: Dimensions = (64, 1, 1),
    groups: Dimensions = (1, 1, 1),
    debug: bool = False,
    unchecked: bool = False,
    strided: bool = False,
    **specs: Any,
) -> None:
    """Runs a kernel, which changes the arrays; see :meth:`tests.support.launching.Launcher.run`."""
    Launcher(open_host()).in_place(
        kernel,
        *arguments,
        types=types,
        threads=threads,
        groups=groups,
        specs=specs,
        debug=debug,
        unchecked=unchecked,
        strided=strided,
    )
