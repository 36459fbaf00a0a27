"""How hard LLVM tries for a kernel: less for longer ones, so that the time it takes stays in proportion.

LLVM's vectorisers, its combination of instructions and most passes of its code generation take
time with the square of a body's length: 1,000 guarded assignments took 7 s, 2,000 of them 40 s. Without those that grow
so, LLVM takes 100 to 500 us for each, and kernels run in half to twice the time. Promotion of variables to registers
takes time with the product of variables and blocks.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding.newpassmanagers import NewPassManager

IS_CLOSE = platform.system() == "Linux" and platform.machine().lower() in ("x86_64", "amd64")
"""Whether all of a module is loaded into one piece of memory, by llvmlite's own memory manager.

Then code reaches constants by their distance, and functions of libraries by a table beside it. Else each constant takes
an instruction with its address of 64 bits, in loops too: kernels of erf, exp and tanh take a tenth longer.
Functions of libraries are called by no distance, for which this manager makes no room: see :func:`bound_by_table`.
"""
CODE_MODEL = "small" if IS_CLOSE else "jitdefault"
"""How far apart the pieces of a module may lie, in LLVM's words."""

_DECLARED = re.compile(r"^(declare (?![^(]*@llvm\.).*)$", re.MULTILINE)


def bound_by_table(text: str) -> str:
    """A module that calls functions of libraries by a table of their addresses: those that it declares, and those that
    LLVM calls by itself, ``memcpy`` say. A call by distance would end the process while the code is loaded."""
    return _DECLARED.sub(r"\1 nonlazybind", text) + (
        '\n!llvm.module.flags = !{!1000000}\n!1000000 = !{i32 7, !"RtLibUseGOT", i32 1}\n'
    )


_LONG = 256 << 10
"""Characters of LLVM IR that take up to 2 s: some 800 assignments."""
_VERY_LONG = 768 << 10
"""Characters that take 1 to 2 s without vectors: some 1,000 guarded stores."""
_PROMOTED = 4_000_000
"""Variables times blocks of which promotion takes a second."""

_PASSES = {
    # Not new_gvn, which LLVM itself does not run: it ended the process by an assertion of its own.
    "long": ("sroa", "simplify_cfg", "instruction_combine", "loop_rotate", "simplify_cfg", "aggressive_dce"),
    "very long": ("sroa", "simplify_cfg", "aggressive_dce"),
    "many variables": ("simplify_cfg", "aggressive_dce"),
}


@dataclass(frozen=True)
class Effort:
    """What is done with modules of a length.

    Attributes:
        machine: generates the machine code.
        builder: knows the passes. llvmlite frees none wholly, so that there is one for all modules.
        passes: that are run; () for all that LLVM has.
    """

    machine: Any
    builder: Any
    passes: tuple[str, ...] = ()

    def optimize(self, module: Any) -> None:
        """Runs the passes."""
        if self.passes:
            manager = llvm.create_new_module_pass_manager()
            for name in self.passes:
                getattr(manager, f"add_{name}_pass")()
        else:
            manager = self.builder.getModulePassManager()
        try:
            manager.run(module, self.builder)
        finally:
            _dispose(manager)


class Efforts:
    """The efforts for a CPU, each made when it is first needed."""

    def __init__(self, cpu: str, features: str) -> None:
        self._target, self._cpu, self._features = llvm.Target.from_default_triple(), cpu, features
        self.full = self._effort(3)
        self._others: dict[str, Effort] = {}

    def of(self, text: str) -> Effort:
        """What is worth doing for a module."""
        if len(text) <= _LONG:
            return self.full
        name, level = ("long", 1) if len(text) <= _VERY_LONG else ("very long", 0)
        if not level and text.count(" = alloca ") * text.count("\n  br ") > _PROMOTED:
            name = "many variables"
        if name not in self._others:
            self._others[name] = self._effort(level, _PASSES[name])
        return self._others[name]

    def _effort(self, level: int, passes: tuple[str, ...] = ()) -> Effort:
        machine = self._target.create_target_machine(
            cpu=self._cpu, features=self._features, opt=level, reloc="pic", codemodel=CODE_MODEL, jit=True
        )
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = options.slp_vectorization = True
        options.loop_interleaving = options.loop_unrolling = True
        return Effort(machine, llvm.create_pass_builder(machine, options), passes)


def _dispose(passes: Any) -> None:
    """Frees a pass manager, 70 KB each: of its two base classes', llvmlite 0.50 finds the method that does nothing."""
    if type(passes)._dispose is llvm.ffi.ObjectRef._dispose:
        NewPassManager._dispose(passes)
