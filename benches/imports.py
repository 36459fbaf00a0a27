"""Time to import krnlpy and autograph, each in a Python process of its own.

Python's own start is not in the figures, but NumPy's is in all of them: krnlpy and autograph import it. Python's
compiled modules are there, as they are of installed packages, whatever the environment says. Verified is that krnlpy
does not load what a process without devices can do without.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benches.harness import Case, Contender, Runner, VerificationError
from benches.selection import NUMPY, Selection

PEERS = (NUMPY,)
NOT_BEFORE_NEEDED = frozenset({"vulkan", "llvmlite", "cffi", "torch", "matplotlib"})

PROGRAM = """
import time
start = time.perf_counter()
import {module}
seconds = time.perf_counter() - start
import json, sys
print(json.dumps([seconds, list(sys.modules)]))
"""


def cases(selection: Selection) -> Iterator[Case]:
    """The one case."""

    def opener(module: str) -> Callable[[], Runner]:
        return lambda: Import(module)

    peers = [Contender(peer.name, "host", opener(peer.package), peer=True) for peer in selection.peers]
    ours = [Contender(module, "host", opener(module)) for module in ("krnlpy", "autograph")]
    yield Case("import", {"processes": "fresh"}, [*peers, *ours], judge, max_iterations=1)


def judge(modules: frozenset[str]) -> None:
    """Refuses what should not be loaded yet."""
    if early := modules & NOT_BEFORE_NEEDED:
        raise VerificationError(f"loads {', '.join(sorted(early))}, which nothing needs yet")


class Import(Runner):
    """Imports a module in a fresh process."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.modules: frozenset[str] = frozenset()
        self._compiled = tempfile.mkdtemp(prefix="bench-import-")
        weakref.finalize(self, shutil.rmtree, self._compiled, ignore_errors=True)

    def result(self) -> frozenset[str]:
        """Names of all modules that are loaded then."""
        self.run(1)
        return self.modules

    def run(self, iterations: int) -> None:
        self.sample(iterations)

    def sample(self, iterations: int) -> float:
        """The seconds that the processes measured themselves."""
        return sum(self._import() for _ in range(iterations))

    def facts(self) -> Mapping[str, float]:
        return {"modules": len(self.modules)}

    def _import(self) -> float:
        program = [sys.executable, "-c", PROGRAM.format(module=self.module)]
        root = Path(__file__).resolve().parent.parent
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": self._compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        output = subprocess.run(program, capture_output=True, text=True, check=True, cwd=root, env=environment).stdout
        report: list[Any] = json.loads(output)
        self.modules = frozenset(report[1])
        return float(report[0])
