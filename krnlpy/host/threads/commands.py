"""Graphs in LLVM IR: launches one after the other, and copies and fills as what a launch calls."""

from __future__ import annotations

import struct

from krnlpy.dsl.llvm.polls import CONTROL

COPY, FILL = "krnlpy_copy", "krnlpy_fill"
"""Functions that are called as kernels are (:mod:`krnlpy.dsl.llvm.emit`); their items are bytes. Their parameters are a
``TRANSFER``: where to, and from where, or eight bytes that are repeated. Ranges of a fill begin at a multiple of 8."""
TRANSFER = struct.Struct("=QQ")

COMMAND = struct.Struct("=QQQQqqqq")
"""A launch: the addresses of its function, its parameters, its buffers and its launch, its count, chunk, stride and
helpers; see :mod:`krnlpy.host.threads.module`."""

_PERIOD = 50_000_000
"""Nanoseconds between two times that Python handles its signals between launches."""

_PARAMETERS = "ptr %parameters, ptr %buffers, i64 %begin, i64 %end, ptr %scratch, ptr %launch, ptr %control"
_FIELDS = "function", "parameters", "buffers", "launch", "count", "chunk", "stride", "helpers"


def _load(place: int, name: str) -> str:
    type = "ptr" if place < 4 else "i64"
    return f"""\
  %{name}_at = getelementptr inbounds i8, ptr %command, i64 {8 * place}
  %its_{name} = load {type}, ptr %{name}_at
"""


FUNCTIONS = f"""\
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)

define i32 @{COPY}({_PARAMETERS}) nounwind {{
  %to = load ptr, ptr %parameters, align 1
  %from_at = getelementptr i8, ptr %parameters, i64 8
  %from = load ptr, ptr %from_at, align 1
  %into = getelementptr i8, ptr %to, i64 %begin
  %some = getelementptr i8, ptr %from, i64 %begin
  %size = sub i64 %end, %begin
  call void @llvm.memmove.p0.p0.i64(ptr %into, ptr %some, i64 %size, i1 false)
  ret i32 0
}}

define i32 @{FILL}({_PARAMETERS}) nounwind {{
entry:
  %to = load ptr, ptr %parameters, align 1
  %from_at = getelementptr i8, ptr %parameters, i64 8
  %word = load i64, ptr %from_at, align 1
  %last = and i64 %end, -8
  br label %next
next:
  %at = phi i64 [ %begin, %entry ], [ %after, %one ]
  %more = icmp ult i64 %at, %last
  br i1 %more, label %one, label %rest
one:
  %into = getelementptr i8, ptr %to, i64 %at
  store i64 %word, ptr %into, align 1
  %after = add i64 %at, 8
  br label %next
rest:
  %tail = getelementptr i8, ptr %to, i64 %last
  %size = and i64 %end, 7
  call void @llvm.memmove.p0.p0.i64(ptr %tail, ptr %from_at, i64 %size, i1 false)
  ret i32 0
}}

; Runs commands until one is not done; returns what it said.
define internal i32 @run_all(ptr %commands, i64 %many, ptr %scratch, i64 %most, ptr %pool, ptr %control) nounwind {{
entry:
  %looked = getelementptr {CONTROL}, ptr %control, i32 0, i32 2
  %start = call i64 @now()
  store i64 %start, ptr %looked
  br label %next
next:
  %number = phi i64 [ 0, %entry ], [ %after, %go ]
  %more = icmp ult i64 %number, %many
  br i1 %more, label %one, label %out
one:
  %place = mul i64 %number, {COMMAND.size}
  %command = getelementptr inbounds i8, ptr %commands, i64 %place
{"".join(_load(place, name) for place, name in enumerate(_FIELDS))}\
  %helpers = call i64 @llvm.umin.i64(i64 %its_helpers, i64 %most)
  %result = call i32 @launch(ptr %its_function, ptr %its_parameters, ptr %its_buffers, ptr %scratch, ptr %its_launch,
    i64 %its_count, i64 %its_chunk, i64 %its_stride, i64 %helpers, ptr %pool, ptr %control)
  %is_done = icmp eq i32 %result, 0
  br i1 %is_done, label %time, label %out
time:
  %now = call i64 @now()
  %before = load i64, ptr %looked
  %since = sub i64 %now, %before
  %soon = icmp ult i64 %since, {_PERIOD}
  br i1 %soon, label %go, label %look
look:
  store i64 %now, ptr %looked
  %raises = call i1 @handle_signals(ptr %control)
  br i1 %raises, label %out, label %go
go:
  %after = add i64 %number, 1
  br label %next
out:
  %status = phi i32 [ 0, %next ], [ %result, %one ], [ 2, %look ]
  ret i32 %status
}}
"""
