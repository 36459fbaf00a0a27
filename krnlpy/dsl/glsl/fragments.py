"""The support functions of generated shaders: small GLSL files in ``shaders/``, included only where used.

A fragment may be written for a type ``T`` (with ``U`` its unsigned companion and ``BITS`` its width) and is then
included once for each type needed. A line ``//! needs NAME`` names another fragment, which then stands before it;
``//! needs NAME_T`` the one whose name ends with the type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_NEEDS = re.compile(r"^//! needs (\w+)$", re.MULTILINE)
_DEFINED = re.compile(r"^(?:const )?\w+ (\w+)(?:[(\[]| =)", re.MULTILINE)
_UNSIGNED = {"int": "uint", "int64_t": "uint64_t"}
_BITS = {"int": "32", "uint": "32", "float": "32", "int64_t": "64", "uint64_t": "64", "double": "64"}


def _folder() -> Path:
    """Inside the package where that is installed; beside it in a checkout, so for an editable install too."""
    package = Path(__file__).parents[2]
    inside = package / "shaders"
    return inside if inside.is_dir() else package.parent / "shaders"


SHADERS = _folder()


@cache
def _file(name: str) -> str:
    return (SHADERS / f"{name}.glsl").read_text(encoding="utf-8")


@cache
def library_names() -> frozenset[str]:
    """The names that any fragment may define."""
    names: set[str] = set()
    for file in SHADERS.iterdir():
        names.update(_DEFINED.findall(_file(file.stem)))
    return frozenset(names)


class Library:
    """The fragments that a shader needs, in an order in which each stands after those it needs."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str | None], str] = {}

    def need(self, name: str, type: str | None = None) -> None:
        """Includes a fragment (for a GLSL type) and all that it needs, unless it is already included."""
        if (name, type) in self._texts:
            return
        text = _file(name)
        for needed in _NEEDS.findall(text):
            self.need(re.sub("_T$", f"_{type}", needed))
        text = _NEEDS.sub("", text)  # leaves an empty line, so that lines keep their numbers
        if type is not None:
            words = {"T": type, "U": _UNSIGNED.get(type, type), "BITS": _BITS[type]}
            text = re.sub(r"\b(?:T|U|BITS)\b", lambda m: words[m.group()], text)
        self._texts[name, type] = text

    def text(self, code: str) -> str:
        """What the code needs of the fragments, and what that needs in turn."""
        blocks = [
            (f"{name}.glsl", line, block, set(_DEFINED.findall(block)))
            for (name, _), text in self._texts.items()
            for line, block in _blocks(text)
        ]
        used = _words(code)
        needed: set[int] = set()
        for n, (_, _, block, defined) in reversed([*enumerate(blocks)]):  # what is needed stands before
            if defined & used:
                needed.add(n)
                used |= _words(block)
        files = {blocks[n][0] for n in needed}
        parts, after = [], ("", 0)
        for n, (file, line, block, defined) in enumerate(blocks):
            if n in needed or (not defined and file in files):  # a comment on the whole file
                directive = "" if (file, line) == after else f'#line {line} "{file}"\n'
                parts.append(f"{directive}{block}\n")
                after = (file, line + block.count("\n") + 2)
        return "\n".join(parts)


def _words(code: str) -> set[str]:
    return set(re.findall(r"\w+", re.sub("//.*", "", code)))


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """The parts of a fragment that blank lines outside of functions separate, each with the number of its line."""
    number, first = 1, 1
    block: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line or any(part.startswith(" ") for part in block[-1:]):
            block.append(line)
            continue
        if block:
            yield first, "\n".join(block)
        block, first = [], number + 1
