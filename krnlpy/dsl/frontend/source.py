"""From a Python function to its syntax tree, with the file's own lines and columns, and to the names it captures."""

from __future__ import annotations
import __future__

import ast
import builtins
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

from krnlpy.dsl.ir import Location
from krnlpy.errors import KernelSyntaxError
from krnlpy.sources import line_of, lines_of, parse


@lru_cache(maxsize=64)  # a module's kernels follow one another; each cell of a notebook is a file of its own
def _tree(text: str, file: str) -> ast.Module:
    return parse(text, file)


@dataclass(frozen=True)
class Source:
    """A function with its syntax tree."""

    function: Callable[..., Any]
    file: str
    tree: ast.FunctionDef

    def location(self, node: ast.AST) -> Location:
        """Where a node is; a node of several lines is cut at the end of its first."""
        line = getattr(node, "lineno", self.tree.lineno)
        column = getattr(node, "col_offset", 0)
        end = getattr(node, "end_col_offset", None)
        if end is None or getattr(node, "end_lineno", line) != line:
            end = max(column + 1, len(line_of(self.file, line).encode()))
        return Location(self.file, line, column, end)

    def captured(self, name: str) -> Any:
        """The object that a free name of the function means; raises KeyError if there is none."""
        return outside(self.function, name)


def outside(function: Callable[..., Any], name: str) -> Any:
    """The object that a free name of a function means now; raises KeyError if there is none."""
    code = function.__code__
    if name in code.co_freevars:
        cell = (function.__closure__ or ())[code.co_freevars.index(name)]
        try:
            return cell.cell_contents
        except ValueError:
            raise KeyError(name) from None
    if name in function.__globals__:
        return function.__globals__[name]
    return vars(builtins)[name]


def read_source(function: Callable[..., Any]) -> Source:
    """The source of a function defined by ``def``.

    Raises:
        KernelSyntaxError: there is no source text (``python -c``, exec), or it is a lambda, async or a generator.
    """
    code = function.__code__
    file = code.co_filename
    line = code.co_firstlineno
    lines = lines_of(file, function.__globals__, fresh=True)
    if not lines:
        raise KernelSyntaxError(_why_unread(function.__name__, file), file, line)
    try:
        tree = _tree("".join(lines), file)
    except SyntaxError:
        raise KernelSyntaxError(
            "the file was changed since it was imported, and is not Python now", file, line
        ) from None
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        first = node.lineno if isinstance(node, ast.Lambda) else min(
            [node.lineno, *(d.lineno for d in node.decorator_list)]
        )  # fmt: skip
        if first != line or (not isinstance(node, ast.Lambda) and node.name != code.co_name):
            continue
        if isinstance(node, ast.FunctionDef) and not inspect.isgeneratorfunction(function):
            if file == "<string>" and not _is_code_of(tree, code):
                continue
            return Source(function, file, node)
        break
    else:
        if file == "<string>":  # what Python 3.13 keeps is the text of python -c, which is not what exec was given
            raise KernelSyntaxError(_why_unread(function.__name__, file), file, line)
        raise KernelSyntaxError(
            f"{function.__name__} is no longer here: the file was changed since it was imported; import it again",
            file,
            line,
        )
    raise KernelSyntaxError("a kernel must be a function defined by def, without yield or async", file, line)


def _why_unread(name: str, file: str) -> str:
    if file.endswith(".py"):
        return (
            f"the source of {name} cannot be read: {file} is not there, only what Python made of it (a .pyc file);"
            " the compiler reads the text of kernels, so put the .py file beside it"
        )
    return (
        f"the source of {name} cannot be read, since {file} is not a file; define it in a file or a notebook cell, or"
        " make it by kernel_from_source(text, globals()) (the compiler reads the text of kernels, which Python does not"
        " keep of exec and standard input, nor before 3.13 of the prompt and python -c)"
    )


def _is_code_of(tree: ast.Module, code: CodeType) -> bool:
    """Whether a function's code is that of the same place in a text."""
    flags = code.co_flags & __future__.annotations.compiler_flag
    found = [compile(tree, code.co_filename, "exec", flags, dont_inherit=True)]
    while found:
        candidate = found.pop()
        if (candidate.co_qualname, candidate.co_firstlineno) == (code.co_qualname, code.co_firstlineno):
            return (candidate.co_code, candidate.co_names) == (code.co_code, code.co_names)
        found += [constant for constant in candidate.co_consts if isinstance(constant, CodeType)]
    return False
