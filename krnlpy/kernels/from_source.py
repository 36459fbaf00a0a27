"""Kernels from text: where there is no file, and where a program writes kernels itself."""

from __future__ import annotations

import inspect
import linecache
import textwrap
from collections.abc import Mapping
from typing import Any

from krnlpy.dsl.builtins.marker import Launched
from krnlpy.errors import KernelNameError, KernelSyntaxError, LaunchError
from krnlpy.sources import lines_of
from krnlpy.tracebacks import hiding_own_frames

from .kernel import Kernel


@hiding_own_frames
def kernel_from_source(
    text: str, namespace: Mapping[str, Any] | None = None, *, name: str = "", file: str = "<kernel source>"
) -> Kernel:
    """Makes a kernel of text: what ``exec`` can't do, since the compiler reads the text of kernels.

    Args:
        text: Python, with a kernel among its functions. Indentation that all lines have is left out.
        namespace: what the text sees beside its own names, such as ``globals()``. It stays as it is.
        name: of the kernel, where the text has several.
        file: what errors and tracebacks call the text; a number is added where another text is called so.

    Returns:
        The kernel, or what ``@autotune`` made of it.

    Raises:
        KernelError: the text is not Python, or has a kernel that is not valid; the error shows the line.
        LaunchError: it has no kernel, or several and no name was given; or these are no texts and no namespace.

    >>> from krnlpy import Buffer, f32, kernel_from_source
    >>> def scaling(factor):
    ...     return kernel_from_source(f'''
    ...         from krnlpy import ItemMut, f32, kernel
    ...
    ...         @kernel
    ...         def scale(x: ItemMut[f32]):
    ...             x *= {factor}
    ...     ''')
    >>> x = Buffer.ones(2, f32)
    >>> scaling(3.0)(x)
    >>> x.numpy().tolist()
    [3.0, 3.0]
    """
    if not (isinstance(text, str) and isinstance(name, str) and isinstance(file, str)):
        raise LaunchError(
            "kernel_from_source takes the text of a kernel, and its name and file as texts; got"
            f" {', '.join(type(part).__name__ for part in (text, name, file))}"
        )
    if not isinstance(namespace, Mapping | None):
        raise LaunchError(f"a namespace of names and values, such as globals(); got a {type(namespace).__name__}")
    given = {} if namespace is None else dict(namespace)
    text = textwrap.dedent(text)
    file = _registered(text, file)
    scope = {"__name__": file, **given}
    try:
        exec(compile(text, file, "exec", dont_inherit=True), scope)
    except SyntaxError as error:
        column, end = (error.offset or 1) - 1, error.end_offset
        one_line = end is not None and error.end_lineno == error.lineno
        raise KernelSyntaxError(
            f"the text is not Python: {error.msg}",
            file,
            error.lineno or 1,
            column,
            end - 1 if one_line and end else None,
        ) from None
    except NameError as error:
        line = _line_in(file, error)
        if line is None:
            raise
        raise KernelNameError(
            f"{error}; the text sees what it imports, and the namespace: kernel_from_source(text, globals())",
            file,
            line,
        ) from None
    kernels = {k: v for k, v in scope.items() if isinstance(v, Launched) and _is_of(v, file)}
    if name in kernels or (not name and len(kernels) == 1):
        return kernels[name or next(iter(kernels))]  # type: ignore[return-value]
    if not kernels:
        raise LaunchError(f"{file} has no kernel; decorate a function with @kernel")
    asked = f"{file} has no kernel {name}; it has" if name else f"say which kernel by name=...: {file} has"
    raise LaunchError(f"{asked} {', '.join(kernels)}")


def _is_of(kernel: Launched, file: str) -> bool:
    """Whether a kernel is one of the text's own, not one that it imports."""
    function: Any = inspect.unwrap(kernel)  # type: ignore[arg-type]
    return bool(function.__code__.co_filename == file)


def _registered(text: str, file: str) -> str:
    """The name under which Python finds the text from now on, when it shows lines of it."""
    lines, name, number = text.splitlines(keepends=True), file, 1
    while (taken := lines_of(name)) and taken != lines:
        number += 1
        name = f"{file} ({number})"
    linecache.cache[name] = (len(text), None, lines, name)
    return name


def _line_in(file: str, error: BaseException) -> int | None:
    """The line of the text that an exception came from, if it was one of its own."""
    traceback, line = error.__traceback__, None
    while traceback is not None:
        line = traceback.tb_lineno if traceback.tb_frame.f_code.co_filename == file else None
        traceback = traceback.tb_next
    return line
