"""Ctrl-C at any time: in waiting, launching, compiling, transferring. What is consistent before is so afterwards."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import krnlpy
from krnlpy.vulkan.memory.allocator import RangeAllocator
from tests.support import process

_SECONDS = 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise on Windows")
@pytest.mark.parametrize("selector", [*range(len(krnlpy.devices())), "host"])
def test_interrupted_at_random(environment: dict[str, Any], tmp_path: Path, selector: object) -> None:
    """A program is interrupted every some milliseconds, checks its buffers each time, and goes on."""
    program = Path(__file__).with_name("interrupted.py")
    errors = tmp_path / "stderr"
    with errors.open("w") as stderr:
        running = subprocess.Popen(
            process.command(program, selector, _SECONDS),
            env={**environment, "KRNLPY_CACHE_DIR": str(tmp_path / "cache")},  # so that it compiles
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n", errors.read_text()
        rng = random.Random(1)
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end and running.poll() is None:
            time.sleep(rng.random() * rng.choice((0.002, 0.01, 0.04)))
            running.send_signal(signal.SIGINT)
        printed = running.communicate(timeout=120)[0]
    assert running.returncode == 0, errors.read_text()
    assert int(printed.split()[0]) >= 1


class _Interrupting(dict[int, int]):
    """Is interrupted before, or after, one of its changes."""

    def __init__(self, content: dict[int, int], at: int) -> None:
        super().__init__(content)
        self.left = at

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            self.left = 1 << 30
            raise KeyboardInterrupt

    def __setitem__(self, key: int, value: int) -> None:
        self._count()
        super().__setitem__(key, value)
        self._count()

    def __delitem__(self, key: int) -> None:
        self._count()
        super().__delitem__(key)
        self._count()


def test_an_allocator_that_was_broken_off() -> None:
    """Wherever it was: no byte is handed out twice, and none that was free is lost but what it was about."""
    interrupted = 0
    for seed in range(40):
        for at in range(7):
            rng = random.Random(seed)
            ranges = RangeAllocator(1000)
            taken: dict[int, int] = {}
            for _ in range(30):
                size = rng.randrange(1, 60)
                if (start := ranges.allocate(size)) is not None:
                    taken[start] = size
                if len(taken) > 8 or start is None:
                    start = rng.choice(list(taken))
                    ranges.free(start, taken.pop(start))
            ranges._end_of = _Interrupting(ranges._end_of, at)
            about = 0
            try:
                if seed % 2:
                    start, about = taken.popitem()
                    ranges.free(start, about)
                elif (start := ranges.allocate(about := rng.randrange(1, 60))) is not None:
                    taken[start] = about
            except KeyboardInterrupt:
                interrupted += 1
            ranges.repair()
            free = sum(size for size, _ in ranges._by_size)
            used = sum(taken.values())
            assert 1000 - used - about <= free <= 1000 - used
            spans = sorted([*((s, s + n) for s, n in taken.items()), *ranges._end_of.items()])
            assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
            for start, size in list(taken.items()):
                ranges.free(start, size)
            ranges.repair()
    assert interrupted > 50
