"""Which configuration was chosen for what: remembered in memory, on disk, and in files that can be shipped.

Files are JSON, written as a whole, and only ever say which of the configurations in the program to use: nothing in them
is run, and what they say is checked against the program.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from krnlpy import config, files
from krnlpy.cache.store import Cache
from krnlpy.errors import FileError, TuningError
from krnlpy.log import logger

_MAX_FILE_BYTES = 16 << 20


class Situation(NamedTuple):
    """What a choice is for: it says nothing of any other.

    Attributes:
        source: a hash of the kernel and of the configurations.
        key: what the user's key said, in JSON.
    """

    kernel: str
    device: str
    driver: str
    source: str
    key: str


class Choices:
    """The configurations chosen so far. Of several threads one at a time changes them."""

    def __init__(self, kernel: str, configs: Sequence[Mapping[str, Any]]) -> None:
        self._kernel = kernel
        self._configs = [json.loads(json.dumps(dict(c))) for c in configs]  # as a file gives them back
        self._chosen: dict[Situation, int] = {}

    def get(self, situation: Situation) -> int | None:
        """The number of the configuration, if one was chosen in this process or by a file that was loaded."""
        return self._chosen.get(situation)

    def put(self, situation: Situation, number: int) -> None:
        """Remembers a choice in this process."""
        self._chosen[situation] = number

    def _entry(self, situation: Situation, number: int) -> dict[str, Any]:
        return {**situation._asdict(), "config": self._configs[number]}

    def _number(self, entry: Any) -> int | None:
        """The configuration of an entry; None if there is no such one."""
        found = entry.get("config") if isinstance(entry, dict) else None
        # Compared as text: True is no 1.
        texts = [json.dumps(c, sort_keys=True) for c in self._configs]
        text = json.dumps(found, sort_keys=True)
        return texts.index(text) if text in texts else None

    # -- on disk

    def recall(self, situation: Situation) -> int | None:
        """The choice that an earlier process made, if any."""
        payload = _cache().get(_cache_key(situation))
        if payload is None:
            return None
        number = self._number(_parsed(payload))
        if number is None or self._entry(situation, number) != _parsed(payload):
            warnings.warn(
                f"{self._kernel}: what is remembered of its tuning in {config.cache_dir} is damaged; it is tuned anew",
                RuntimeWarning,
                stacklevel=4,
            )
            return None
        self._chosen[situation] = number
        return number

    def remember(self, situation: Situation, number: int) -> None:
        """Keeps a choice for later processes."""
        self._chosen[situation] = number
        _cache().put(_cache_key(situation), json.dumps(self._entry(situation, number)).encode())

    # -- in files

    def save(self, path: str | Path) -> None:
        """Writes all choices, those of other devices that were loaded too.

        Raises:
            FileError: the file can't be written; one that was there before is unchanged.
        """
        entries = [self._entry(situation, number) for situation, number in sorted(self._chosen.items())]
        content = {"krnlpy_tuning": 1, "kernel": self._kernel, "choices": entries}
        files.write(path, json.dumps(content).encode())

    def load(self, path: str | Path) -> int:
        """Takes over the choices in a file; returns how many there are.

        Raises:
            TuningError: the file can't be read, is of another kernel, or is damaged.
        """
        content = _content(path)
        entries = content.get("choices") if isinstance(content, dict) and content.get("krnlpy_tuning") == 1 else None
        if not isinstance(entries, list):
            raise TuningError(f"{path} is not a file that save_tuning wrote, or it is damaged")
        if content.get("kernel") != self._kernel:
            raise TuningError(f"{path} is of the kernel {content.get('kernel')!r}, not of {self._kernel}")
        taken: dict[Situation, int] = {}
        for entry in entries:
            number = self._number(entry)
            texts = [entry.get(name) for name in Situation._fields] if isinstance(entry, dict) else [None]
            if not all(isinstance(text, str) for text in texts):
                raise TuningError(f"{path} is damaged: {str(entry)[:100]}")
            if number is None:
                logger.info("%s: %s chooses a configuration that no longer exists", self._kernel, path)
                continue
            taken[Situation(*texts)] = number
        self._chosen.update(taken)
        return len(taken)


def _cache() -> Cache:
    return Cache.of("tuning")


def _cache_key(situation: Situation) -> str:
    return f"tuning {json.dumps(situation)}"


def _parsed(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _content(path: str | Path) -> Any:
    try:
        return _parsed(files.read(path, _MAX_FILE_BYTES))
    except FileError as error:
        raise TuningError(str(error)) from error
