"""`import krnlpy` brings NumPy and little more; how long it takes is `python -m benches run imports`'s affair."""

from __future__ import annotations

import json

import pytest

import krnlpy
from tests.support import process

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
    assert process.output("-c", program) == "\n0\n"


def test_dir_of_the_settings() -> None:
    assert {"cache_dir", "cache_bytes", "debug"} <= set(dir(krnlpy.config))


def test_what_comes_later_is_not_loaded() -> None:
    loaded = set(json.loads(process.output("-c", PROGRAM)))
    # Dataclasses, which nothing does without, bring inspect along.
    bare = "import dataclasses, json, sys, numpy; print(json.dumps(sorted(sys.modules)))"
    assert (loaded - set(json.loads(process.output("-c", bare)))) & LATER == set()
