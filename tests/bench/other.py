"""A peer that pretends: run as a program by the tests of peers."""

from __future__ import annotations

import os
import time
from typing import Any

from krnlpy.bench.peers import Ready, serve
from krnlpy.errors import MissingFeatures


class Pretends(Ready):
    """Does what its size says."""

    def __init__(self, size: int) -> None:
        self.size = size

    def verify(self) -> None:
        if self.size == 2:
            raise AssertionError("1 is not 2")

    def run(self, iterations: int) -> None:
        if self.size == 4:
            os._exit(3)
        time.sleep(1e-4 * iterations)

    def wait(self) -> None:
        pass


def open_work(way: str, benchmark: str, configuration: dict[str, Any]) -> Ready:
    """Work, of some sizes."""
    assert way in ("slowly", "fast") and benchmark == "fake"
    if configuration["bytes"] == 3:
        raise MissingFeatures("it has no f64")
    if configuration["bytes"] == 5:
        raise KeyError("x")
    return Pretends(configuration["bytes"])


if __name__ == "__main__":
    print("welcome", flush=True)
    serve("Other 1.0", ["slowly", "fast"], open_work)
