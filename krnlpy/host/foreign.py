"""Functions of C libraries, called by the pool: LLVM IR that reads their arguments from the rows of a table."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from krnlpy.backend.foreign import C_TYPES
from krnlpy.dsl.llvm.polls import POLL

ENTRY = "krnlpy_call"

ADDRESS = struct.Struct("=Q")
"""What the function takes for buffers: the address of what it calls."""


def emit(dtype: np.dtype[Any]) -> str:
    """The module of a function that is called as kernels are (:mod:`krnlpy.dsl.llvm.emit`): its parameters are a table
    of this type, its items the rows. It lets itself be stopped before each row."""
    loads, arguments = list[str](), list[str]()
    assert dtype.fields is not None
    for place, (field, offset, *_) in enumerate(dtype.fields.values()):
        type = C_TYPES[field.str[1:]]
        loads.append(f"  %at{place} = getelementptr i8, ptr %row, i64 {offset}")
        loads.append(f"  %argument{place} = load {type}, ptr %at{place}, align 1")
        arguments.append(f"{type} %argument{place}")
    return _FUNCTION.format(
        poll=POLL, entry=ENTRY, size=dtype.itemsize, loads="\n".join(loads), arguments=", ".join(arguments)
    )


_FUNCTION = """\
{poll}
define i32 @{entry}(ptr %rows, ptr %function_at, i64 %begin, i64 %end, ptr %scratch, ptr %launch,
    ptr %control) nounwind {{
entry:
  %function = load ptr, ptr %function_at, align 1
  br label %next
next:
  %number = phi i64 [ %begin, %entry ], [ %after, %call ]
  %more = icmp ult i64 %number, %end
  br i1 %more, label %poll, label %out
poll:
  %budget = call i64 @krnlpy_poll(ptr %control)
  %stops = icmp eq i64 %budget, 0
  br i1 %stops, label %out, label %call
call:
  %offset = mul i64 %number, {size}
  %row = getelementptr i8, ptr %rows, i64 %offset
{loads}
  call void %function({arguments})
  %after = add i64 %number, 1
  br label %next
out:
  ret i32 0
}}
"""
