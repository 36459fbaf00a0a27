"""Time from the start of a process to the first result of a kernel, with empty caches and with full ones.

Each sample is a process: Python starts, imports, opens a device, compiles the kernel or finds it in its cache, uploads,
runs, and downloads. Caches are the contender's own and Mesa's; Python's compiled modules are there in both cases, as
they are of installed packages.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benches.harness import Case, Runner, Unavailable, VerificationError
from benches.peer_process import FOLDERS
from benches.selection import TAICHI, TAICHI_VULKAN, Peer, Selection
from krnlpy import Device

PEERS = (TAICHI, TAICHI_VULKAN)
_HERE = Path(__file__).resolve().parent


def cases(selection: Selection) -> Iterator[Case]:
    """Empty caches on the host and on Vulkan, then full ones."""
    hosts = Selection(
        tuple(d for d in selection.devices if d.info.index is None),
        tuple(p for p in selection.peers if p.device == "host"),
    )
    others = Selection(
        tuple(d for d in selection.devices if d.info.index is not None),
        tuple(p for p in selection.peers if p.device != "host"),
    )
    for caches in ("empty", "full"):
        for on, part in (("host", hosts), ("Vulkan", others)):
            if not part.devices:
                continue

            def open_device(device: Device, empty: bool = caches == "empty") -> Runner:
                index = device.info.index
                return First(empty, "first_krnlpy.py", device.info.backend if index is None else str(index))

            def open_peer(peer: Peer, empty: bool = caches == "empty") -> Runner:
                return First(empty, "first_taichi.py", "cpu" if peer.device == "host" else "vulkan", "{}")

            contenders = part.contenders("krnlpy", open_device, open_peer)
            yield Case("first", {"caches": caches, "on": on}, contenders, judge, max_iterations=1)


def judge(result: list[float]) -> None:
    """Refuses anything but the result."""
    if result != (np.arange(256) * 2.5).tolist():
        raise VerificationError(f"expected 0.5 x + 2 x, got {result[:4]} ...")


class First(Runner):
    """Processes that run a kernel once.

    Args:
        empty: each process has empty caches of its own; else all share one.
        program: the file to run.
        arguments: its arguments, ``{}`` for the folder of caches.
    """

    def __init__(self, empty: bool, program: str, *arguments: str) -> None:
        self._empty = empty
        self._program = [sys.executable, str(_HERE / program)]
        self._arguments = arguments
        self._folder = Path(tempfile.mkdtemp(prefix="bench-first-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._result: list[float] = []
        self._run()  # Python's compiled modules, and the caches that are to be full

    def result(self) -> list[float]:
        return self._result

    def run(self, iterations: int) -> None:
        self.sample(iterations)

    def sample(self, iterations: int) -> float:
        return sum(self._run() for _ in range(iterations))

    def _run(self) -> float:
        caches = self._folder / "caches"
        if self._empty:
            shutil.rmtree(caches, ignore_errors=True)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(_HERE.parent), *FOLDERS)),
            "PYTHONPYCACHEPREFIX": str(self._folder / "modules"),
            "KRNLPY_CACHE_DIR": str(caches),
            "MESA_SHADER_CACHE_DIR": str(caches),
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        arguments = [argument.format(caches) for argument in self._arguments]
        start = time.perf_counter()
        process = subprocess.Popen(
            [*self._program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith("[0")), "")  # packages greet on stdout
        taken = time.perf_counter() - start
        _, errors = process.communicate()
        if not line:
            said = errors.strip().splitlines()
            raise Unavailable(f"its process ended: {said[-1] if said else 'it said nothing'}")
        self._result = json.loads(line)
        return taken
