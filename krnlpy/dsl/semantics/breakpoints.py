"""Breakpoints in kernels: where they stop, and the error of targets without them."""

from __future__ import annotations

import bdb
import os
import pdb
import sys
from collections.abc import Callable
from typing import NoReturn

from krnlpy.dsl import ir
from krnlpy.errors import KernelSyntaxError


def debugger() -> Callable[[], None]:
    """A function that stops in the kernel that calls it: Python's ``breakpoint``, if the user has chosen a debugger.

    Otherwise it is pdb, which skips krnlpy's own frames: stepping goes from line to line of the
    kernel and of the functions that it calls, and from the end of one thread into the next.
    """
    chosen = sys.breakpointhook is not sys.__breakpointhook__ or "PYTHONBREAKPOINT" in os.environ
    return breakpoint if chosen else _stop


def is_debugged(program: ir.Program) -> bool:
    """Whether a debugger may show variables: one runs, or a breakpoint of the program starts one."""
    monitoring = getattr(sys, "monitoring", None)  # Python 3.12
    if sys.gettrace() is not None or (monitoring and monitoring.get_tool(monitoring.DEBUGGER_ID)):
        return True
    bodies = (program.body, *(function.body for function in program.functions))
    return any(isinstance(node, ir.Breakpoint) for body in bodies for node in ir.walk(body))


def _stop() -> None:
    active = getattr(sys.gettrace(), "__self__", None)  # the one that is stepping now, or that runs the program
    chosen = active if isinstance(active, bdb.Bdb) else pdb.Pdb(skip=["krnlpy.*", "bdb", "pdb"])
    chosen.set_trace(sys._getframe(1))


def refuse(statement: ir.Breakpoint) -> NoReturn:
    """Raises the error of targets without a debugger."""
    raise KernelSyntaxError(
        "breakpoint() works in the interpreter only; launch the kernel on Device.interpreter(), or run the program with"
        " KRNLPY_INTERPRET=1",
        *statement.location,
    )
