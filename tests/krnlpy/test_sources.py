"""Texts of sources while other threads, signal handlers and finalizers read them, too."""

from __future__ import annotations

import ast
import gc
import linecache
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from krnlpy.sources import line_of, lines_of, parse

TEXT = "\n".join(f"def f{n}(x):\n    return [x + {n}, (x * {n}, -x)]" for n in range(20))


class Garbage:
    """A cycle, whose finalizer has another thread build a syntax tree in the middle of what it interrupts."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        thread = threading.Thread(target=ast.parse, args=("x = 1",))
        thread.start()
        thread.join()


@pytest.fixture(params=[100, 300])
def collected_later(request: pytest.FixtureRequest) -> Iterator[None]:
    """There is garbage, which is collected after so many allocations."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.set_threshold(request.param)
    Garbage()
    yield
    gc.set_threshold(*thresholds)


def test_trees_beside_those_of_other_threads(collected_later: None) -> None:
    """CPython up to 3.11.7 fails with SystemError at the first try: AST constructor recursion depth mismatch."""
    assert len(parse(TEXT).body) == 20


class Forgetful(dict[str, Any]):
    """A cache of lines that forgets a file as soon as somebody asks whether it is there, for the first times."""

    def __init__(self, file: str) -> None:
        super().__init__(linecache.cache)
        self.file, self.times = file, 3

    def __contains__(self, key: object) -> bool:
        found = super().__contains__(key)
        if found and key == self.file and self.times:
            self.times -= 1
            del self[self.file]
        return found


@pytest.mark.parametrize("fresh", [False, True])
def test_lines_that_another_thread_forgets(fresh: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kernels.py"
    path.write_text(TEXT)
    want = lines_of(str(path))
    assert len(want) == 40 and line_of(str(path), 1) == "def f0(x):"
    forgetful = Forgetful(str(path))
    with monkeypatch.context() as patch:
        patch.setattr(linecache, "cache", forgetful)
        found = lines_of(str(path), fresh=fresh)
    assert found == want
    assert forgetful.times < 3


def test_lines_that_are_not_there() -> None:
    assert lines_of("no such file") == [] and line_of("no such file", 1) == ""
    assert line_of(__file__, 0) == "" and line_of(__file__, 10**6) == ""
