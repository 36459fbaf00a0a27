"""Texts of source files and their syntax trees, for threads that read them at once.

Python's own readers are not made for that. ``linecache`` asks whether it has a file and then looks it up, while another
thread may forget the file. CPython up to 3.11.7 counts the depth of all trees in one place: a thread that builds a tree
while a finalizer interrupts another at it makes that one fail (https://github.com/python/cpython/issues/106905). So one
thread reads at a time; and against those that ask Python's readers themselves, such as one that prints a traceback,
what failed is done again.
"""

from __future__ import annotations

import ast
import linecache
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from krnlpy.locks import renew_after_fork

_T = TypeVar("_T")
_MOST_TRIES = 100
_lock = threading.RLock()
renew_after_fork(__name__, "_lock")


def lines_of(file: str, namespace: dict[str, Any] | None = None, fresh: bool = False) -> list[str]:
    """The lines of a file, with their ends; none if it cannot be read.

    Args:
        file: a path, or the name of a text that linecache has.
        namespace: globals of the file's module, whose loader may have the text.
        fresh: look whether the file was changed since it was read.
    """

    def read() -> list[str]:
        if fresh:
            linecache.checkcache(file)
        return linecache.getlines(file, namespace)

    return _alone(read, LookupError)


def line_of(file: str, line: int) -> str:
    """A line of a file, from 1, without its end; nothing if there is no such line."""
    lines = lines_of(file)
    return lines[line - 1].rstrip() if 1 <= line <= len(lines) else ""


def parse(text: str, file: str = "<unknown>") -> ast.Module:
    """The syntax tree of a text. Raises SyntaxError, as ``ast.parse`` does."""
    return _alone(lambda: ast.parse(text, file), SystemError)


def parse_expression(text: str) -> ast.Expression:
    """The syntax tree of an expression. Raises SyntaxError, as ``ast.parse`` does."""
    return _alone(lambda: ast.parse(text, mode="eval"), SystemError)


def _alone(read: Callable[[], _T], disturbed: type[Exception]) -> _T:
    """What a function returns, called by one thread at a time, and again while others disturb it."""
    with _lock:
        for _ in range(_MOST_TRIES):
            try:
                return read()
            except disturbed:
                pass
        return read()
