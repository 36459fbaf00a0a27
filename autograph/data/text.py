"""Texts to learn characters from: one that is downloaded, and one that Python brings."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from autograph.errors import DatasetError
from krnlpy import files
from krnlpy.errors import FileError

from . import catalogue

_NAME = "input.txt"
_FOLDER = "data/tinyshakespeare/"
_SHAKESPEARE = catalogue.Source(
    title="Tiny Shakespeare",
    folder="tinyshakespeare",
    names=(_NAME,),
    mirrors=(
        f"https://raw.githubusercontent.com/karpathy/char-rnn/370cbcd448eb7daf32f21a6be560b70e0b33c4e3/{_FOLDER}",
        f"https://raw.githubusercontent.com/karpathy/char-rnn/master/{_FOLDER}",
    ),
    packed_sha256={_NAME: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"},
)
_BYTES = 1_115_394


@dataclass(frozen=True, eq=False)
class Text:
    """A text, and its characters as numbers.

    Attributes:
        text: all of it.
        source: a sentence that says where it came from.

    >>> from autograph.data import Text
    >>> data = Text("abba", source="a text of one's own")
    >>> data.characters, data.tokens.tolist(), data.decode([1, 0])
    ('ab', [0, 1, 1, 0], 'ba')
    """

    text: str = field(repr=False)  # which may have millions of characters
    source: str

    @cached_property
    def characters(self) -> str:
        """Those that are in the text, in order; a token is a place among them."""
        return "".join(sorted({*self.text}))

    @cached_property
    def tokens(self) -> npt.NDArray[Any]:
        """The number of each character of the text: u8 where there are at most 256 of them, else u16 or u32."""
        return self.encode(self.text)

    def encode(self, text: str) -> npt.NDArray[Any]:
        """The numbers of a text's characters.

        Raises:
            DatasetError: one of them is not in this text.

        >>> from autograph.data import Text
        >>> Text("abc", source="").encode("cab").tolist()
        [2, 0, 1]
        """
        if not isinstance(text, str):
            raise DatasetError(f"encode takes a text, not {type(text).__name__}")
        places = {ord(character): place for place, character in enumerate(self.characters)}
        dtype = np.min_scalar_type(max(len(places) - 1, 0))
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        found, inverse = np.unique(codes, return_inverse=True)
        if unknown := [chr(code) for code in found.tolist() if code not in places]:
            raise DatasetError(f"the characters {unknown} are not in the text")
        table = np.array([places[code] for code in found.tolist()], dtype)
        return table[inverse] if len(table) else np.empty(0, dtype)

    def decode(self, tokens: Iterable[Any]) -> str:
        """The characters of numbers, such as a network gives.

        Raises:
            DatasetError: a number is no character's.

        >>> from autograph.data import Text
        >>> Text("abc", source="").decode([2, 0, 1])
        'cab'
        """
        try:
            numbers = [operator.index(token) for token in tokens]
        except TypeError:
            raise DatasetError("decode takes whole numbers, one for each character") from None
        if numbers and not 0 <= min(numbers) <= max(numbers) < len(self.characters):
            raise DatasetError(f"tokens {min(numbers)} to {max(numbers)}, expected 0 to {len(self.characters) - 1}")
        return "".join(self.characters[number] for number in numbers)


def load_text(
    kind: Literal["shakespeare", "python"] = "shakespeare",
    data_dir: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    progress: bool = True,
) -> Text:
    """Load a text.

    ``"shakespeare"`` is Tiny Shakespeare: 1,115,394 characters, 65 different ones, out of plays by W. Shakespeare, put
    together by A. Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks", 2015. Its file ``input.txt``
    is looked for in ``data_dir``, then in the folder that the environment variable ``AUTOGRAPH_DATA`` names, directly
    or in a subfolder ``tinyshakespeare``; then in the user's cache folder, into which it is downloaded if it is not
    there. It is known by its SHA-256, which was compared with the file of the repository that has it.

    ``"python"`` is the reference of the language by topics, some 450,000 characters, that Python's own ``help`` shows:
    it is on every machine, and differs from version to version.

    Args:
        kind: which of them.
        data_dir: a folder to look in first.
        download: whether to download what is not on this machine.
        progress: whether to draw a progress bar while downloading.

    Raises:
        DatasetError: a folder that was named does not exist, the file is damaged or not what it should be, or the text
            can be had nowhere.

    >>> from autograph.data import load_text
    >>> len(load_text("python").text) > 400_000
    True
    """
    if kind == "python":
        return _of_python()
    if kind != "shakespeare":
        raise DatasetError(f"no text {kind!r}, expected 'shakespeare' or 'python'")
    try:
        text, sentence = catalogue.load(
            _SHAKESPEARE,
            _read,
            lambda _: _BYTES,
            data_dir,
            download=download,
            progress=progress,
        )
    except catalogue.NotHere as error:
        raise DatasetError(f"{error}; or take load_text('python'), which is on every machine") from None
    return Text(text, sentence)


def _read(paths: dict[str, Path]) -> str:
    path = paths[_NAME]
    _SHAKESPEARE.check_packed(_NAME, path)
    try:
        return files.read(path, _BYTES).decode("ascii")
    except FileError as error:
        raise DatasetError(str(error)) from error


def _of_python() -> Text:
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise DatasetError("this Python was installed without pydoc_data, which has its reference") from None
    text = "\n\n".join(topics[name] for name in sorted(topics))
    return Text(text, f"the reference of Python {sys.version.split()[0]} by topics, which it brings")
