"""The pool of threads in LLVM IR: what runs the ranges of a launch, without Python.

A *region* is one launch: ``count`` items or groups, cut into chunks. The thread that called takes chunks one after the
other, and so does each helper that comes while there are some. The caller waits for the chunks that were taken, never
for helpers that did not come: on a busy machine it does everything alone. There is one region at a time; who finds the
pool in use works alone, too. So may the handler of a signal in the middle of a region.

The state of a pool is one word: the number of the region in its upper half, of the next chunk in its lower half. Who
takes a chunk reads what is to be done before, and adds 1 by a compare-and-exchange: it fails where the region is over.
Between regions the lower half is the greatest number. Helpers watch the word for 50 us, and then sleep. The caller
wakes helpers 1 and 2, and helper n wakes 2 n + 1 and 2 n + 2.

Threads and what they sleep on are Python's (``PyThread_start_new_thread``, ``PyThread_acquire_lock_timed``), which it
has for all systems and lets be used without its lock. A helper has no state of Python's and runs nothing of it.
"""

from __future__ import annotations

from krnlpy.dsl.llvm.polls import CONTROL

from . import commands, regions, sleeping
from .layout import ENDING, STARTED, WORKERS, at, field

RUN, SHARE, REPLAY, END = "krnlpy_run", "krnlpy_share", "krnlpy_replay", "krnlpy_end"
"""The functions that Python calls, with its lock held.

``i32 RUN(function, parameters, buffers, scratch, launch, count)`` calls ``function(parameters, buffers, 0, count,
scratch, launch, control)``, of :mod:`krnlpy.dsl.llvm.emit`.

``i32 SHARE(function, parameters, buffers, scratch, launch, count, chunk, stride, helpers, pool)`` calls it for ranges
that make up 0..count, each of ``chunk`` items, by at most so many helpers besides the caller. Worker n has its scratch
at ``scratch + n * stride``. A pool is all zeros before it is first used.

``i32 REPLAY(commands, many, scratch, helpers, pool)`` does so for each of many launches, a
:data:`krnlpy.host.threads.commands.COMMAND` each, in their order. All have the same scratch.

They return 0; 1 if the function refused; another number with Python's exception set: that of a signal's handler.

``void END(pool)`` ends the helpers, those at work after it."""

SYMBOLS = (*sleeping.SYMBOLS, *regions.SYMBOLS)
"""Functions of Python's that the code calls, besides those of kernels."""

_START = f"""\
%thread = getelementptr {CONTROL}, ptr %control, i32 0, i32 1
  %looked = getelementptr {CONTROL}, ptr %control, i32 0, i32 2
  store i64 0, ptr %looked
  %state = call ptr @PyEval_SaveThread()
  store ptr %state, ptr %thread"""
_FINISH = """\
%again = load ptr, ptr %thread
  call void @PyEval_RestoreThread(ptr %again)
  ret i32 %result"""


def text() -> str:
    """The module, for this machine."""
    return "\n".join([sleeping.text(), regions.FUNCTIONS, commands.FUNCTIONS, _FUNCTIONS])


_FUNCTIONS = f"""\
define i32 @{RUN}(ptr %function, ptr %parameters, ptr %buffers, ptr %scratch, ptr %launch, i64 %count) nounwind {{
entry:
  %control = alloca {CONTROL}
  {_START}
  %result = call i32 @alone(ptr %function, ptr %parameters, ptr %buffers, ptr %scratch, ptr %launch, i64 %count,
    ptr %control)
  {_FINISH}
}}

define i32 @{SHARE}(ptr %function, ptr %parameters, ptr %buffers, ptr %scratch, ptr %launch, i64 %count, i64 %chunk,
    i64 %stride, i64 %helpers, ptr %pool) nounwind {{
entry:
  %control = alloca {CONTROL}
  call void @grow(ptr %pool, i64 %helpers)
  {_START}
  %result = call i32 @launch(ptr %function, ptr %parameters, ptr %buffers, ptr %scratch, ptr %launch, i64 %count,
    i64 %chunk, i64 %stride, i64 %helpers, ptr %pool, ptr %control)
  {_FINISH}
}}

define i32 @{REPLAY}(ptr %commands, i64 %many, ptr %scratch, i64 %helpers, ptr %pool) nounwind {{
entry:
  %control = alloca {CONTROL}
  call void @grow(ptr %pool, i64 %helpers)
  {_START}
  %result = call i32 @run_all(ptr %commands, i64 %many, ptr %scratch, i64 %helpers, ptr %pool, ptr %control)
  {_FINISH}
}}

define void @{END}(ptr %pool) nounwind {{
entry:
  {at("ending_at", "pool", ENDING)}
  store atomic i32 1, ptr %ending_at seq_cst, align 4
  {at("workers", "pool", WORKERS)}
  {field("started", STARTED)}
  br label %next
next:
  %number = phi i64 [ 1, %entry ], [ %after, %one ]
  %more = icmp ule i64 %number, %started
  br i1 %more, label %one, label %out
one:
  %place = shl i64 %number, 6
  %worker = getelementptr i8, ptr %workers, i64 %place
  call void @wake(ptr %worker)
  %after = add i64 %number, 1
  br label %next
out:
  ret void
}}
"""
