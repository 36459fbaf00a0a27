"""The support functions of generated shaders: small GLSL files in ``shaders/``, included only where used.

A fragment may be written for a type ``T`` and is then included once for each type needed. In it, ``U`` is the type's
unsigned companion, ``BITS`` its width, ``T2`` a vector of two; float literals are of the type. These lines say more:

- ``//! needs NAME``: another fragment, which is then put before it; ``//! needs NAME of T``: that one for the type;
  ``//! needs NAME_T``: the one whose name ends with the type.
- ``//! let NAME = A | B``: what a name stands for in f32 and in f64; lines that continue it begin with ``//!  ``.
  ``POLYNOMIAL(x, NAME)`` is the polynomial with such coefficients, highest power first, by Horner's rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_NEEDS = re.compile(r"^//! needs (\w+)( of T)?$", re.MULTILINE)
_LET = re.compile(r"^//! let (\w+) =(.*(?:\n//!  .*)*)$", re.MULTILINE)
_POLYNOMIAL = re.compile(r"\bPOLYNOMIAL\(([\w.]+), (\w+)\)")
_LITERAL = re.compile(r"//.*|(?<![\w.])(?<!double\()\d+\.\d*(?:e[+-]?\d+)?(?![\w.])")
_DEFINED = re.compile(r"^(?:const )?\w+ (\w+)(?:[(\[]| =)", re.MULTILINE)
_UNSIGNED = {"int": "uint", "int64_t": "uint64_t"}
_PAIRS = {"float": "vec2", "double": "dvec2"}
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
    """The fragments that a shader needs, ordered so that each is after those that it needs."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str | None], str] = {}

    def need(self, name: str, type: str | None = None) -> None:
        """Includes a fragment (for a GLSL type) and all that it needs, unless it is already included."""
        if (name, type) in self._texts:
            return
        text = _file(name)
        for needed, of_type in _NEEDS.findall(text):
            self.need(re.sub("_T$", f"_{type}", needed), type if of_type else None)
        text = _NEEDS.sub("", text)  # leaves an empty line, so that lines keep their numbers
        self._texts[name, type] = text if type is None else _instance(text, type)

    def text(self, code: str) -> str:
        """What the code needs of the fragments, and what that needs in turn."""
        blocks = [
            (f"{name}.glsl", line, block, set(_DEFINED.findall(block)))
            for (name, _), text in self._texts.items()
            for line, block in _blocks(text)
        ]
        used = _words(code)
        needed: set[int] = set()
        for n, (_, _, block, defined) in reversed([*enumerate(blocks)]):  # what is needed is before
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


@cache
def _instance(text: str, type: str) -> str:
    """A fragment for a type."""
    words = {"T": type, "U": _UNSIGNED.get(type, type), "BITS": _BITS[type], "T2": _PAIRS.get(type, "")}
    for name, choice in _LET.findall(text):
        chosen = choice.split(" | ")[type == "double"] if " | " in choice else choice
        words[name] = " ".join(chosen.replace("//!", "").split())
    text = _LET.sub(lambda m: "\n" * m[0].count("\n"), text)
    text = _POLYNOMIAL.sub(lambda m: _horner(m[1], words[m[2]].split(", ")), text)
    named = re.compile(rf"//.*|\b(?:{'|'.join(words)})\b")
    for _ in range(2):  # what a name stands for may name the type
        text = named.sub(lambda m: words.get(m[0], m[0]), text)
    return _LITERAL.sub(lambda m: m[0] if m[0].startswith("//") else f"{m[0]}lf", text) if type == "double" else text


def _horner(x: str, coefficients: list[str]) -> str:
    """The polynomial of x, highest power first."""
    result = coefficients[0]
    for number, coefficient in enumerate(coefficients[1:], 1):
        result = f"{result} * {x} + {coefficient}"
        result = f"({result})" if number < len(coefficients) - 1 else result
    return result


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
