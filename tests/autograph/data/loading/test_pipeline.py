"""Threads that read ahead: order, errors, and their end."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from autograph.data import DataLoader
from autograph.errors import ShapeError
from tests.support.tiers import deep


class Slow:
    """Examples of which the first of a batch takes longest."""

    def __init__(self, n: int, failing: int | None = None) -> None:
        self.n, self.failing, self.read = n, failing, list[int]()

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, number: int) -> int:
        if number == self.failing:
            raise ZeroDivisionError("nothing to divide by")
        time.sleep(0.002 if number % 8 == 0 else 0)
        self.read.append(number)
        return number


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("autograph-")}


BEFORE: set[threading.Thread] = set()
"""Threads of other tests' loops, which are garbage that was not collected yet."""


@pytest.fixture(autouse=True)
def only_threads_of_this_test() -> None:
    BEFORE.clear()
    BEFORE.update(threads())


def end_of_threads() -> bool:
    deadline = time.monotonic() + 20
    while threads() - BEFORE and time.monotonic() < deadline:
        time.sleep(0.001)
    return not threads() - BEFORE


def test_order_is_kept() -> None:
    loader = DataLoader(Slow(64), 4, workers=4, prefetch=8)
    assert np.concatenate([batch.numpy() for batch in loader]).tolist() == list(range(64))
    assert end_of_threads()


@pytest.mark.parametrize("workers", [0, 3])
def test_batches_are_begun_before_they_are_asked_for(workers: int) -> None:
    begun = [threading.Event() for _ in range(6)]

    def transform(batch: Any) -> Any:
        begun[int(batch.numpy()[0])].set()
        return batch

    reading = iter(DataLoader(Slow(6), 1, workers=workers, prefetch=3, transform=transform))
    next(reading)
    assert all(event.wait(20) for event in begun[:4])
    assert not any(event.is_set() for event in begun[4:])
    next(reading)
    assert begun[4].wait(20)


@pytest.mark.parametrize(("workers", "prefetch"), [(0, 0), (0, 2), (3, 3)])
def test_errors_come_in_their_turn_and_say_which_example(workers: int, prefetch: int) -> None:
    reading = iter(DataLoader(Slow(12, failing=7), 3, workers=workers, prefetch=prefetch))
    assert [next(reading).numpy().tolist() for _ in range(2)] == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ZeroDivisionError, match="nothing to divide by") as error:
        next(reading)
    assert error.value.__notes__ == ["while example 7 was read"]
    assert end_of_threads()


def test_errors_of_transforms() -> None:
    def transform(batch: Any) -> Any:
        return batch if batch.numpy()[0] < 20 else batch.reshape(7)

    reading = iter(DataLoader(np.arange(60), 10, transform=transform, prefetch=2))
    assert [next(reading).numpy()[0] for _ in range(2)] == [0, 10]
    with pytest.raises(ShapeError) as error:
        next(reading)
    assert error.value.__notes__ == ["while batch 2 of epoch 0 was moved and transformed"]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_errors_of_streams(prefetch: int) -> None:
    def examples() -> Iterator[int]:
        yield from range(5)
        raise OSError("no more")

    reading = iter(DataLoader(examples, 2, prefetch=prefetch))
    assert [next(reading).numpy().tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(OSError, match="no more") as error:
        next(reading)
    assert error.value.__notes__ == ["while the example after number 4 was read"]


def by_break(loader: DataLoader) -> None:
    for _ in loader:
        break


def by_closing(loader: DataLoader) -> None:
    reading: Any = iter(loader)
    next(reading)
    reading.close()


def by_garbage(loader: DataLoader) -> None:
    reading: Any = iter(loader)
    next(reading)
    cycle = [reading]
    cycle.append(cycle)
    del reading, cycle
    gc.collect()


def by_an_error(loader: DataLoader) -> None:
    with pytest.raises(RuntimeError, match="of the loop"):
        for _ in loader:
            raise RuntimeError("of the loop")


def by_interrupt(loader: DataLoader) -> None:
    with pytest.raises(KeyboardInterrupt):
        for _ in loader:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("leave", [by_break, by_closing, by_garbage, by_an_error, by_interrupt])
@pytest.mark.parametrize("workers", [0, 3])
def test_threads_end_where_a_loop_is_left(leave: Callable[[DataLoader], None], workers: int) -> None:
    dataset = Slow(4000)
    leave(DataLoader(dataset, 4, workers=workers, prefetch=4))
    assert end_of_threads()
    assert len(dataset.read) < 100


@deep
@pytest.mark.parametrize("workers", [0, 2])
def test_the_end_of_a_program(workers: int) -> None:
    """An error or Ctrl-C that nobody catches ends it, though its threads have read ahead."""
    program = (
        "import itertools, sys\nfrom autograph.data import DataLoader\n"
        f"for batch in DataLoader(itertools.count, 2, prefetch=2, workers={workers}):\n    raise KeyboardInterrupt\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and done.stderr.strip().endswith("KeyboardInterrupt")


def test_streams_without_end() -> None:
    def examples() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    reading = iter(DataLoader(examples, 3, prefetch=2))
    assert [next(reading).numpy().tolist() for _ in range(2)] == [[0, 1, 2], [3, 4, 5]]
    del reading
    assert end_of_threads()
