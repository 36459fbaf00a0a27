"""The protocol of backends, all of it, on the one that only checks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from krnlpy import Global, GlobalMut, Spec, f32, i32
from krnlpy.backend import protocol
from krnlpy.backend.commands import Copy, Fill, Launch, LaunchIndirect
from krnlpy.backend.memory_stats import MemoryStats
from krnlpy.backend.null import NullBackend, NullExecutable
from krnlpy.backend.protocol import BuildRequest
from krnlpy.dsl import global_id
from krnlpy.dsl.frontend.syntax import functions as frontend
from krnlpy.dsl.ir import Program
from krnlpy.dsl.ir.layout import Variant, layout_of
from krnlpy.errors import LimitExceeded
from tests.support.typed import untyped

VARIANT = Variant(0, (True, True))


def scale(x: Global[f32], y: GlobalMut[f32], N: Spec[i32] = 2) -> None:
    y[global_id()] = x[global_id()] * f32(N)


def program(subgroup_threads: int = 0) -> Program:
    return frontend.lower(frontend.read_signature(scale), {}, (32, 1, 1), subgroup_threads=subgroup_threads)


def built(backend: NullBackend) -> NullExecutable:
    return backend.build(BuildRequest(program(), VARIANT, {"N": 2}, (32, 1, 1)))


PARAMETERS = bytes(layout_of(program(), VARIANT).size)


def test_all_of_the_protocol() -> None:
    backend = NullBackend()
    assert backend.info.backend == "null"
    assert (backend.defects(), backend.lost) == ((), False)
    x, y = backend.allocate(128), backend.allocate(128)
    shared, first = backend.adopt(np.zeros(12, np.uint8))
    assert (shared.nbytes, first, shared.is_shared, x.is_shared) == (12, 0, True, False)
    assert backend.window(x, 8, 64) == (x, 0)
    assert backend.memory_stats() == MemoryStats(0, 0, 0)
    assert untyped(backend).view(x) is None
    assert backend.planes(x) == ()
    backend.upload(x, 64, np.ones(64, np.uint8))
    out = np.ones(64, np.uint8)
    backend.download(x, 64, out)
    assert not out.any()
    backend.copy(x, 0, y, 64, 64)
    backend.fill(y, 8, 16, bytes(8))
    executable = built(backend)
    assert (executable.name, executable.threads) == ("scale", (32, 1, 1))
    assert list(executable.accesses) == [(True, False), (False, True)]
    assert not executable.needs_wait(None, PARAMETERS)
    bindings = [(x, 0, 128), (y, 0, 128)]
    backend.launch(executable, (1, 1, 1), bindings, PARAMETERS)
    backend.launch_indirect(executable, (shared, 0, 12), bindings, PARAMETERS)
    work = (
        Launch(executable, (1, 1, 1), bindings, PARAMETERS),
        LaunchIndirect(executable, (shared, 0, 12), bindings, PARAMETERS),
    )
    recording = backend.record([work, (Copy(x, 0, y, 64, 64), Fill(y, 8, 16, bytes(8)))], None)
    assert recording is not None and len(list(recording.commands)) == 4
    backend.replay(recording)
    timer = backend.timer()
    assert timer.time(lambda: backend.replay(recording)).is_measured
    backend.wait()
    backend.close()


def test_it_has_what_the_protocol_has() -> None:
    def signatures(of: type) -> dict[str, list[str]]:
        methods = inspect.getmembers(of, inspect.isfunction)
        return {name: list(inspect.signature(m).parameters) for name, m in methods if not name.startswith("_")}

    assert signatures(NullBackend) == signatures(protocol.BackendOf)


def overlapping(backend: NullBackend) -> None:
    memory = backend.allocate(64)
    backend.copy(memory, 0, memory, 8, 16)


def too_few_bindings(backend: NullBackend) -> None:
    backend.launch(built(backend), (1, 1, 1), [(backend.allocate(64), 0, 64)], PARAMETERS)


def short_block(backend: NullBackend) -> None:
    memory = backend.allocate(64)
    backend.launch(built(backend), (1, 1, 1), [(memory, 0, 64)] * 2, PARAMETERS[1:])


def replayed(backend: NullBackend) -> None:
    recording = backend.record([(Fill(backend.allocate(8), 0, 16, bytes(8)),)], None)
    assert recording is not None
    backend.replay(recording)


BROKEN: list[tuple[str, Callable[[NullBackend], Any]]] = [
    ("memory of 0 bytes", lambda b: b.allocate(0)),
    ("an array of float32", lambda b: b.adopt(np.zeros(4, np.float32))),
    ("which may have gaps", lambda b: b.upload(b.allocate(8), 0, np.zeros(8, np.uint8)[::2])),
    ("bytes 4 to 12 of a memory of 8", lambda b: b.upload(b.allocate(8), 4, np.zeros(8, np.uint8))),
    ("bytes -1 to 7 of a memory of 8", lambda b: b.download(b.allocate(8), -1, np.zeros(8, np.uint8))),
    ("bytes 0 to 9 of a memory of 8", lambda b: b.window(b.allocate(8), 0, 9)),
    ("ranges that overlap", overlapping),
    ("a pattern of 3 bytes", lambda b: b.fill(b.allocate(9), 0, 9, bytes(3))),
    ("a part of a pattern of 4 bytes", lambda b: b.fill(b.allocate(9), 0, 6, bytes(4))),
    (r"scale: values of \[\]", lambda b: b.build(BuildRequest(program(), VARIANT, {}, (32, 1, 1)))),
    ("scale: 1 bindings for 2 buffers", too_few_bindings),
    (f"scale: {len(PARAMETERS) - 1} bytes of parameters", short_block),
    (
        "the counts of groups are three u32",
        lambda b: b.launch_indirect(built(b), (b.allocate(8), 0, 8), [], PARAMETERS),
    ),
    ("bytes 0 to 16 of a memory of 8", replayed),
]


@pytest.mark.parametrize(("message", "call"), BROKEN, ids=[message for message, _ in BROKEN])
def test_a_broken_promise_is_seen(message: str, call: Callable[[NullBackend], Any]) -> None:
    with pytest.raises(AssertionError, match=message):
        call(NullBackend())


def test_limits_are_those_of_any_device() -> None:
    backend = NullBackend()
    with pytest.raises(LimitExceeded, match="requires subgroups of 2 threads"):
        backend.build(BuildRequest(program(subgroup_threads=2), VARIANT, {"N": 2}, (32, 1, 1)))
    with pytest.raises(LimitExceeded, match="along an axis"):
        backend.launch(built(backend), (1 << 30, 1, 1), [(backend.allocate(64), 0, 64)] * 2, PARAMETERS)
