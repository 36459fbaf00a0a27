"""The host backend's memory, threads, limits and cache."""

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from krnlpy import config
from krnlpy.backend.protocol import Backend
from krnlpy.dsl import barrier, exp, group_array, local_array, thread_id
from krnlpy.dsl.ir.layout import Variant, layout_of
from krnlpy.dsl.llvm.builder import Instructions
from krnlpy.dsl.llvm.emit import LlvmOptions, emit
from krnlpy.dsl.types.annotations import GlobalMut, Item, ItemMut, Spec
from krnlpy.errors import CompileError, LimitExceeded, OutOfMemory
from krnlpy.features import Feature
from krnlpy.host import open_host
from krnlpy.host.compiler import Compiler
from krnlpy.scalar import f16, f32, i32, u8
from tests.support.launching import lower

from .launch import launch


def test_one_backend_a_process() -> None:
    backend: Backend = open_host()
    assert open_host() is backend
    info = backend.info
    assert (info.kind, info.backend, info.index) == ("host", "host", None)
    assert {Feature.INT64, Feature.FLOAT64, Feature.STORAGE8, Feature.STORAGE16} <= info.features
    assert info.name and info.memory_bytes > 0


def test_memory() -> None:
    backend = open_host()
    memory = backend.allocate(100)
    assert memory.nbytes == 100 and memory.address % 64 == 0
    backend.fill(memory, 0, 100, b"\x01")
    backend.fill(memory, 8, 16, b"\x01\x02\x03\x04\x05\x06\x07\x08")
    backend.fill(memory, 2, 4, b"\xaa\xbb")
    backend.upload(memory, 30, np.arange(5, dtype=np.uint8))
    out = np.empty(100, np.uint8)
    backend.download(memory, 0, out)
    expected = [1, 1, 0xAA, 0xBB, 0xAA, 0xBB, 1, 1, *range(1, 9), *range(1, 9), 1, 1, 1, 1, 1, 1, 0, 1, 2, 3, 4]
    assert out.tolist() == expected + [1] * 65
    other = backend.allocate(100)
    backend.copy(memory, 8, other, 50, 16)
    assert backend.view(other)[50:66].tolist() == [*range(1, 9), *range(1, 9)]


def test_adopted_arrays_share_memory() -> None:
    backend = open_host()
    array = np.zeros((3, 4), f16.dtype)
    memory, start = backend.adopt(array.reshape(-1).view(np.uint8))
    assert memory.nbytes == 24 and start == 0
    backend.fill(memory, 0, 24, np.float16(1.5).tobytes())
    assert (array == 1.5).all()


def test_too_much_memory() -> None:
    with pytest.raises(OutOfMemory, match="no memory left for"):
        open_host().allocate(1 << 60)


def test_limits() -> None:
    def large(y: GlobalMut[f32], N: Spec[i32] = 4096) -> None:
        kept = group_array(f32, (N, 5))
        kept[0, 0] = 1.0
        barrier()
        y[0] = kept[0, 0]

    def deep(y: GlobalMut[f32]) -> None:
        kept = local_array(f32, 100_000)
        y[0] = kept[thread_id()]

    def plain(y: GlobalMut[f32]) -> None:
        y[0] = 1.0

    y = np.zeros(1, np.float32)
    launch(large, y, N=3000)
    with pytest.raises(LimitExceeded, match="group arrays take 81920 bytes"):
        launch(large, y)
    with pytest.raises(LimitExceeded, match="local arrays take 400000 bytes"):
        launch(deep, y)
    with pytest.raises(LimitExceeded, match="1024"):
        launch(plain, y, threads=(1024, 2, 1))
    with pytest.raises(LimitExceeded, match="are more than 2147483647 along an axis"):
        launch(plain, y, threads=(1024, 1, 1), groups=(1 << 22, 1, 1))
    launch(plain, y, groups=(0, 5, 5))


def scale(x: ItemMut[f32], factor: f32) -> None:
    for _ in range(50):
        x = x * factor


def test_many_python_threads_launch_at_once() -> None:
    arrays = [np.full(200_000, 1 + i, np.float32) for i in range(6)]

    def work(array: np.ndarray) -> None:
        for _ in range(3):
            launch(scale, array, -1.0)

    threads = [threading.Thread(target=work, args=(a,)) for a in arrays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((a == 1 + i).all() for i, a in enumerate(arrays))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_launches_after_a_fork() -> None:
    x = np.ones(1_000_000, np.float32)
    launch(scale, x, 1.0)
    child = os.fork()
    if not child:
        y = np.ones(1_000_000, np.float32)
        launch(scale, y, -1.0)
        launch(lifted, np.zeros(4, np.uint8))  # compiled in the child
        os._exit(0 if (y == 1).all() else 1)
    assert os.waitpid(child, 0)[1] == 0


def lifted(x: ItemMut[u8]) -> None:
    x += 1


def test_machine_code_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(config, "cache_dir", tmp_path)
    text = "define i32 @kernel() {\n  ret i32 7\n}\n"
    Compiler().load(text, "kernel")
    (entry,) = (tmp_path / "host").iterdir()
    again = Compiler()
    monkeypatch.setattr(again, "compile", None)  # would raise
    again.load(text, "kernel")
    entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    Compiler().load(text, "kernel")  # a damaged entry is compiled anew


def test_what_llvm_refuses() -> None:
    with pytest.raises(CompileError, match="LLVM refuses"):
        Compiler().load("define i32 @kernel() {\n  ret i64 7\n}\n", "kernel")


def optimized(function, half: bool = True) -> str:
    program = lower(function)
    variant = Variant(0, (True,) * len(program.buffers))
    assert layout_of(program, variant).size
    code = emit(program, variant, {}, (64, 1, 1), LlvmOptions(False, Instructions(half, scaling=False)))
    return str(Compiler().optimize(code.text))


@pytest.mark.skipif(sys.maxsize < 2**32, reason="needs vectors")
def test_items_are_vectorised() -> None:
    def several(a: Item[f32], b: Item[f32], c: ItemMut[f32], d: ItemMut[f32], e: ItemMut[f32]) -> None:
        c = c + a * exp(b)
        d = d - a if a > 0.0 else d
        e = e * c

    text = optimized(several)
    assert "x float>" in text
    assert "krnlpy_exp" not in text  # inlined
    assert "memcheck" not in text  # no checks whether buffers overlap


def test_half_without_instructions() -> None:
    def twice(x: ItemMut[f16]) -> None:
        x = x * 2.0

    text = optimized(twice, half=False)
    assert "half" not in text.replace("krnlpy_half", "")
    assert "half" in optimized(twice, half=True)
