"""`import krnlpy` brings NumPy and little more; how long it takes is `python -m benches run imports`'s affair."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import krnlpy

PROGRAM = """
import json, sys
import krnlpy
print(json.dumps(sorted(sys.modules)))
"""
LATER = {
    *("cffi", "llvmlite", "vulkan", "krnlpy.vulkan", "krnlpy.host", "krnlpy.interpreter"),  # a device
    *("krnlpy.dsl.frontend", "krnlpy.dsl.glsl", "krnlpy.dsl.llvm", "ast", "inspect"),  # a kernel
    *("cbor2", "platformdirs", "hashlib", "subprocess", "tempfile", "ctypes.util"),  # a cache, a compiler
    *("argparse", "importlib.metadata", "importlib.resources", "logging"),  # commands
}


@pytest.mark.parametrize("module", ["krnlpy", "krnlpy.dsl", "autograph", "autograph.nn", "autograph.data"])
def test_dir_has_what_comes_later(module: str) -> None:
    """In a process that used none of it, as completion in a notebook sees it."""
    program = (
        f"import {module} as m; print(*sorted(set(m.__all__) - set(dir(m)))); print(len(dir(m)) - len(set(dir(m))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n0\n"


def test_dir_of_the_settings() -> None:
    assert {"cache_dir", "cache_bytes", "debug"} <= set(dir(krnlpy.config))


def test_what_comes_later_is_not_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    # Dataclasses, which nothing does without, bring inspect along.
    bare = "import dataclasses, json, sys, numpy; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True, check=True)
    assert (loaded - set(json.loads(done.stdout))) & LATER == set()
