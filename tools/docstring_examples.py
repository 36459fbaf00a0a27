"""Docstrings as the site shows them: a griffe extension that marks examples as code, and roles as names."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_EXAMPLE = re.compile(r"^( *)>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?([^`]+)`")


def marked(text: str) -> str:
    """A docstring whose examples stand in fences, and whose roles are names in code.

    >>> marked("As :func:`~package.other` does.")
    'As `package.other` does.'
    """

    def fenced(found: re.Match[str]) -> str:
        return f"{found[1]}```pycon\n{found[0]}\n{found[1]}```"

    return _ROLE.sub(r"`\1`", _EXAMPLE.sub(fenced, text))


class DocstringExamples(Extension):
    """Marks the docstrings of all that is read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Marks that of an object."""
        if obj.docstring is not None:
            obj.docstring.value = marked(obj.docstring.value)
