"""Others' software that does the same work, each in a process of its own: it would get in the way of ours.

Requests and answers are lines of JSON on the process's standard streams.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from krnlpy.device import Device
from krnlpy.errors import BenchmarkError, MissingFeatures

from .benchmark import Benchmark, Case, Configuration, Work
from .results import DeviceResults
from .running import FULL, QUICK, Watcher, measured_on

PACKAGES: Final = {"torch": "torch"}
"""Peers that ``--peer`` knows, and the package that each needs."""


class Ready(ABC):
    """Work that a peer's process has made ready."""

    @abstractmethod
    def verify(self) -> None:
        """Raises AssertionError where the result is not that of the reference."""

    @abstractmethod
    def run(self, iterations: int) -> None:
        """Does the work so many times; may return before the device is done."""

    @abstractmethod
    def wait(self) -> None:
        """Returns when the device is done."""


class Peer:
    """A process that does a peer's work in one way after the other.

    Args:
        module: is run as a program, which calls :func:`serve`.

    Raises:
        BenchmarkError: it cannot run; says why.
    """

    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        weakref.finalize(self, _end, self._process)
        answer = self._answer()
        self.about, self.ways = str(answer["about"]), [str(way) for way in answer["ways"]]

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            AssertionError: a result is wrong. MissingFeatures: the peer can't do it. BenchmarkError: anything else.
        """
        stdin = self._process.stdin
        assert stdin is not None  # it is a pipe
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why it has ended
        answer = self._answer()
        said = str(answer.get("said", ""))
        if answer.get("status") == "wrong":
            raise AssertionError(said)
        if answer.get("status") == "unsupported":
            raise MissingFeatures(said)
        if answer.get("status") == "failed":
            raise BenchmarkError(said)
        return answer

    def _answer(self) -> dict[str, Any]:
        stdout, stderr = self._process.stdout, self._process.stderr
        assert stdout is not None and stderr is not None  # they are pipes
        for line in stdout:
            if line.startswith("{"):  # packages greet on the same stream
                answer: dict[str, Any] = json.loads(line)
                return answer
        said = stderr.read().strip().splitlines()
        raise BenchmarkError(f"its process has ended: {said[-1] if said else 'it said nothing'}")


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


class _Asked(Work):
    """Work that a peer does."""

    def __init__(self, peer: Peer, way: str, benchmark: str, configuration: Configuration, device: Device) -> None:
        super().__init__(device)
        self._peer = peer
        peer.ask(do="open", way=way, benchmark=benchmark, configuration=dict(configuration))

    def verify(self) -> None:
        self._peer.ask(do="verify")

    def run(self, iterations: int) -> None:
        self._peer.ask(do="sample", iterations=iterations)

    def sample(self, iterations: int) -> float:
        return float(self._peer.ask(do="sample", iterations=iterations)["seconds"])


def measured(
    name: str, benchmarks: Sequence[Benchmark], is_quick: bool = False, watcher: Watcher | None = None
) -> tuple[DeviceResults, ...]:
    """What a peer makes of the benchmarks that it has, once for each way to use it; of a quick run in one way.

    Raises:
        BenchmarkError: nobody knows the peer, it is not installed, or none of the benchmarks has it.
    """
    if name not in PACKAGES:
        raise BenchmarkError(f"no peer is called {name!r}; there are: {', '.join(PACKAGES)}")
    if importlib.util.find_spec(PACKAGES[name]) is None:
        raise BenchmarkError(f"{name} is not installed: pip install {PACKAGES[name]}")
    theirs = [benchmark for benchmark in benchmarks if name in benchmark.peers]
    modules = {benchmark.peers[name] for benchmark in theirs}
    if not modules:
        raise BenchmarkError(f"none of these benchmarks has a peer {name}: {', '.join(b.name for b in benchmarks)}")
    found = []
    for module in sorted(modules):
        peer = Peer(module)
        some = [benchmark for benchmark in theirs if benchmark.peers[name] == module]
        for way in peer.ways[:1] if is_quick else peer.ways:
            asked = [replace(b, series=partial(_series, peer, way, b)) for b in some]
            results = measured_on(Device.host(), asked, QUICK if is_quick else FULL, watcher)
            named = f"{name} {way}"
            found.append(replace(results, name=named, kind="peer", backend=named, driver=peer.about, vendor=""))
    return tuple(found)


def _series(peer: Peer, way: str, benchmark: Benchmark) -> list[list[Case]]:
    return [
        [replace(c, open=partial(_Asked, peer, way, benchmark.name, c.configuration), peak=None) for c in cases]
        for cases in benchmark.series()
    ]


def serve(about: str, ways: Sequence[str], open_work: Callable[[str, str, dict[str, Any]], Ready]) -> None:
    """Does in a peer's process what is asked for on stdin, until it ends.

    Args:
        about: the peer's name and version.
        ways: to use it.
        open_work: makes the work of a benchmark, by its name and configuration, ready in one of these ways.
    """
    _say(about=about, ways=list(ways))
    work: Ready | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "open":
                work = None  # its memory goes first
                work = open_work(request["way"], request["benchmark"], request["configuration"])
                _say(status="done")
                continue
            if work is None:
                raise BenchmarkError("no work is open")
            if request["do"] == "verify":
                work.verify()
                _say(status="done")
                continue
            start = time.perf_counter()
            work.run(int(request["iterations"]))
            work.wait()
            _say(status="done", seconds=time.perf_counter() - start)
        except AssertionError as error:
            _say(status="wrong", said=str(error))
        except (MissingFeatures, MemoryError) as error:
            _say(status="unsupported", said=str(error))
        except Exception as error:  # whatever it is, it is why the peer can't do it
            _say(status="failed", said=f"{type(error).__name__}: {error}"[:1000])


def _say(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)
