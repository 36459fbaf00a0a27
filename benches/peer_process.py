"""Peers that run in a process of their own, because their packages would get in the way of ours.

Their folders are listed by ``BENCH_PEERS``, as in PATH (``pip install --target FOLDER taichi``), and only their
processes see them.
A peer's process is a module that calls :func:`serve`; requests and answers are lines of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benches.harness import Runner, Unavailable

FOLDERS = list(filter(None, os.environ.get("BENCH_PEERS", "").split(os.pathsep)))


class Work(Protocol):
    """What a peer does."""

    def run(self, iterations: int) -> None:
        """Does the work so many times; may return before the device is done."""

    def wait(self) -> None:
        """Returns when the device is done."""

    def result(self) -> Any:
        """What the work computes, as a NumPy array."""


class ProcessRunner(Runner):
    """Work that another process does.

    Args:
        module: whose ``main`` calls :func:`serve`.
        arguments: of its command line.
        counts_wait: whether the time that the device takes is of interest, or only that of the calls.

    Raises:
        Unavailable: the peer can't run; says why.
    """

    def __init__(self, module: str, *arguments: str, counts_wait: bool) -> None:
        root = str(Path(__file__).parents[1])
        paths = os.pathsep.join((root, *FOLDERS))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self._counts_wait = counts_wait
        answer = self._answer()
        if "error" in answer:
            raise Unavailable(answer["error"])

    def _ask(self, **request: Any) -> dict[str, Any]:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        stdout, stderr = self._process.stdout, self._process.stderr
        assert stdout is not None
        assert stderr is not None
        for line in stdout:
            if line.startswith("{"):  # packages greet on the same stream
                answer: dict[str, Any] = json.loads(line)
                return answer
        said = stderr.read().strip().splitlines()
        raise Unavailable(f"its process ended: {said[-1] if said else 'it said nothing'}")

    def result(self) -> Any:
        return np.array(self._ask(do="result")["values"], np.float32)

    def run(self, iterations: int) -> None:
        self._ask(do="sample", iterations=iterations)

    def sample(self, iterations: int) -> float:
        answer = self._ask(do="sample", iterations=iterations)
        return float(answer["calls"] + (answer["wait"] if self._counts_wait else 0.0))

    def __del__(self) -> None:
        self._process.kill()
        self._process.communicate()


def serve(open_work: Callable[[], Work]) -> None:
    """Does what is asked for on stdin until it ends."""

    def answer(**values: Any) -> None:
        print(json.dumps(values), flush=True)

    try:
        work = open_work()
    except Exception as error:  # whatever it is, it is why the peer can't run
        answer(error=f"{type(error).__name__}: {error}")
        return
    answer(ready=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "result":
            answer(values=work.result().tolist())
            continue
        start = time.perf_counter()
        work.run(request["iterations"])
        called = time.perf_counter()
        work.wait()
        answer(calls=called - start, wait=time.perf_counter() - called)
