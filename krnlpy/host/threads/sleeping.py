"""Waiting in LLVM IR: looking again and again for a while, then sleeping on one of Python's locks, and waking."""

from __future__ import annotations

import platform

from krnlpy.dsl.llvm.polls import CLOCK_SYMBOL

from .layout import LOCK, SLEEPS, at

SYMBOLS = "PyThread_allocate_lock", "PyThread_acquire_lock", "PyThread_acquire_lock_timed", "PyThread_release_lock"
"""Functions of Python's, which may be called without its lock: it has them for all systems."""

_SPIN = 50_000
"""Nanoseconds that one looks again and again. Linux takes some 5 us to send a thread to sleep and to wake it."""


def text() -> str:
    """The functions, for this machine."""
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64", "i686", "x86"):
        declare, pause = "declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"
    elif machine in ("aarch64", "arm64"):
        declare, pause = "declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"
    else:
        declare, pause = "", ""
    return _FUNCTIONS.replace("; declare pause", declare).replace("; pause", pause)


_FUNCTIONS = f"""\
declare ptr @PyThread_allocate_lock()
declare i32 @PyThread_acquire_lock(ptr, i32)
declare i32 @PyThread_acquire_lock_timed(ptr, i64, i32)
declare void @PyThread_release_lock(ptr)
declare i32 @{CLOCK_SYMBOL}(ptr, i32)
; declare pause

; Nanoseconds since some time.
define internal i64 @now() nounwind {{
  %time = alloca {{ i64, i64 }}
  call i32 @{CLOCK_SYMBOL}(ptr %time, i32 1)
  %seconds = load i64, ptr %time
  {at("rest", "time", 8)}
  %nanoseconds = load i32, ptr %rest
  %whole = mul i64 %seconds, 1000000000
  %part = zext i32 %nanoseconds to i64
  %now = add i64 %whole, %part
  ret i64 %now
}}

; Some 0.3 us, and whether it is longer since a time than one should go on looking.
define internal i1 @rest(i64 %start) nounwind {{
entry:
  br label %again
again:
  %i = phi i32 [ 0, %entry ], [ %j, %again ]
  ; pause
  %j = add i32 %i, 1
  %more = icmp ult i32 %j, 16
  br i1 %more, label %again, label %over
over:
  %now = call i64 @now()
  %since = sub i64 %now, %start
  %long = icmp ugt i64 %since, {_SPIN}
  ret i1 %long
}}

; Sleeping. A worker says that it sleeps, looks whether it must, and does so or not. Only who takes back what it said
; opens its lock, so that this is done once.
define internal void @fall_asleep(ptr %worker) nounwind {{
  {at("sleeps", "worker", SLEEPS)}
  %before = atomicrmw xchg ptr %sleeps, i32 1 seq_cst
  ret void
}}

define internal void @wake(ptr %worker) nounwind {{
entry:
  {at("sleeps", "worker", SLEEPS)}
  %word = load atomic i32, ptr %sleeps seq_cst, align 4
  %asleep = icmp ne i32 %word, 0
  br i1 %asleep, label %take, label %out
take:
  %both = cmpxchg ptr %sleeps, i32 1, i32 0 seq_cst seq_cst
  %mine = extractvalue {{ i32, i1 }} %both, 1
  br i1 %mine, label %release, label %out
release:
  {at("lock_at", "worker", LOCK)}
  %lock = load ptr, ptr %lock_at
  call void @PyThread_release_lock(ptr %lock)
  br label %out
out:
  ret void
}}

define internal void @stay_awake(ptr %worker) nounwind {{
entry:
  {at("sleeps", "worker", SLEEPS)}
  %both = cmpxchg ptr %sleeps, i32 1, i32 0 seq_cst seq_cst
  %mine = extractvalue {{ i32, i1 }} %both, 1
  br i1 %mine, label %out, label %opened
opened:
  {at("lock_at", "worker", LOCK)}
  %lock = load ptr, ptr %lock_at
  call i32 @PyThread_acquire_lock(ptr %lock, i32 1)
  br label %out
out:
  ret void
}}

; Sleeps for so many microseconds (-1: for ever), until it is woken, or until a signal comes.
define internal void @sleep(ptr %worker, i64 %microseconds) nounwind {{
entry:
  {at("lock_at", "worker", LOCK)}
  %lock = load ptr, ptr %lock_at
  %got = call i32 @PyThread_acquire_lock_timed(ptr %lock, i64 %microseconds, i32 1)
  %woken = icmp eq i32 %got, 1
  br i1 %woken, label %out, label %early
early:
  call void @stay_awake(ptr %worker)
  br label %out
out:
  ret void
}}

define internal ptr @new_lock() nounwind {{
entry:
  %lock = call ptr @PyThread_allocate_lock()
  %is_lock = icmp ne ptr %lock, null
  br i1 %is_lock, label %close, label %out
close:
  call i32 @PyThread_acquire_lock(ptr %lock, i32 1)
  br label %out
out:
  ret ptr %lock
}}
"""
