"""Reports of host kernels: the functions that write to a launch's report (:mod:`krnlpy.dsl.ir.reports`)."""

from __future__ import annotations

from collections.abc import Iterable

from krnlpy.dsl.ir.reports import HEADER, RECORD_HEAD
from krnlpy.scalar import ScalarType, boolean

from .builder import Builder, Module

Value = tuple[str, ScalarType]


def fail(b: Builder, site: int, thread: Iterable[str], values: Iterable[Value]) -> None:
    """Reports a failure, unless another thread did."""
    _tell(b, "krnlpy_fail", site, thread, values)


def print_record(b: Builder, site: int, thread: Iterable[str], values: Iterable[Value]) -> None:
    """Reports what a thread prints, or that there was no room for it."""
    _tell(b, "krnlpy_print", site, thread, values)


def _tell(b: Builder, function: str, site: int, thread: Iterable[str], values: Iterable[Value]) -> None:
    # The accesses are in no access group, and the call can't be vectorised, so that a loop with one in it is left as
    # it is.
    words = [str(site), *thread]
    for value, type in values:
        words += _words(b, value, type)
    record = b.alloca(f"[{len(words)} x i32], align 4", "record")
    for place, word in enumerate(words):
        b.store("i32", word, b.element(record, str(place), 4))
    _define(b.module, function)
    b.do(f"call void @{function}(ptr %report, ptr {record}, i32 {len(words)})")


def _words(b: Builder, value: str, type: ScalarType) -> list[str]:
    """A value as i32 words, the low one first."""
    if type is boolean:
        return [b.op(f"zext i1 {value} to i32")]
    if type.is_float:
        value = b.op(f"bitcast {type.llvm} {value} to i{type.bits}")
    if type.size == 8:
        high = b.op(f"lshr i64 {value}, 32")
        return [b.op(f"trunc i64 {value} to i32"), b.op(f"trunc i64 {high} to i32")]
    if type.size == 4:
        return [value]
    return [b.op(f"{'s' if type.is_signed else 'z'}ext {type.llvm} {value} to i32")]


def _define(module: Module, name: str) -> None:
    if name in module:
        return
    b = Builder(module)
    header = {word: b.element("%report", str(place), 4) for place, word in enumerate(HEADER)}
    body = b.element("%report", str(len(HEADER)), 4)
    if name == "krnlpy_fail":
        _write_failure(b, header, body)
    else:
        _write_print(b, header, body)
    b.place("done")
    b.ret()
    module.define(name, b.finish(f"define internal void @{name}(ptr %report, ptr %record, i32 %words) noinline cold"))


def _write_failure(b: Builder, header: dict[str, str], body: str) -> None:
    """Takes the report's failure by setting its site's number, then adds the thread and the values."""
    site = b.load("i32", "%record")
    exchange = b.op(f"cmpxchg ptr {header['failed']}, i32 0, i32 {site} monotonic monotonic")
    b.branch_if(b.op(f"extractvalue {{ i32, i1 }} {exchange}, 1"), "first", "done")
    b.place("first")
    _copy(b, b.element("%record", "1", 4), header["global_x"], str(RECORD_HEAD - 1))
    values = b.op(f"sub i32 %words, {RECORD_HEAD}")
    _copy(b, b.element("%record", str(RECORD_HEAD), 4), body, values)


def _write_print(b: Builder, header: dict[str, str], body: str) -> None:
    """Takes room for the record where there is any, by moving the end of what is used."""
    capacity = b.load("i32", header["capacity"])
    start = b.block
    first = b.op(f"load atomic i32, ptr {header['used']} monotonic, align 4")
    b.place("try")
    seen = "%seen"
    used = b.op(f"phi i32 [ {first}, %{start} ], [ {seen}, %fits ]")
    room = b.op(f"sub i32 {capacity}, {used}")
    b.branch_if(b.op(f"icmp ule i32 %words, {room}"), "fits", "full")
    b.place("fits")
    after = b.op(f"add i32 {used}, %words")
    exchange = b.op(f"cmpxchg ptr {header['used']}, i32 {used}, i32 {after} monotonic monotonic")
    b.do(f"{seen} = extractvalue {{ i32, i1 }} {exchange}, 0")
    b.branch_if(b.op(f"extractvalue {{ i32, i1 }} {exchange}, 1"), "taken", "try")
    b.place("full")
    b.do(f"atomicrmw add ptr {header['lost']}, i32 1 monotonic")
    b.branch("done")
    b.place("taken")
    _copy(b, "%record", b.element(body, b.op(f"zext i32 {used} to i64"), 4), "%words")


def _copy(b: Builder, source: str, to: str, words: str) -> None:
    name = "llvm.memcpy.p0.p0.i64"
    b.module.define(name, f"declare void @{name}(ptr, ptr, i64, i1)")
    count = b.op(f"shl i64 {b.op(f'zext i32 {words} to i64')}, 2")
    b.do(f"call void @{name}(ptr align 4 {to}, ptr align 4 {source}, i64 {count}, i1 false)")
