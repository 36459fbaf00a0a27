"""How a running kernel is stopped: it polls whenever it has done a certain amount of work.

A kernel has a budget of work, in nodes of the IR. Loops that poll subtract the work that they are about to do. When the
budget is used up, a function checks whether the launch is to stop and, some times a second, lets Python handle its
signals, such as Ctrl-C. It is called where a loop begins or has done a long strip of its iterations, never within a
strip, so that LLVM vectorises strips as it would the loop. :mod:`krnlpy.dsl.passes.loop_work` says which loops poll.

The names ``%control`` and ``%budget`` and the label ``stopped`` are the same in all functions that have such loops.
"""

from __future__ import annotations

from krnlpy.dsl import ir
from krnlpy.dsl.passes.loop_work import MOST, LoopWork, TripCount, Work, WorkEstimate

from .builder import UNLIKELY, Builder
from .expressions import Expressions

_BUDGET = 1 << 21
"""Nodes between two polls: 30 us to some milliseconds."""
_STRIP = 1 << 20
"""Nodes of a loop that are done without a poll."""
_LIMIT = 1 << 27
"""The most nodes of one iteration that are done without a poll."""
_PERIOD = 50_000_000
"""Nanoseconds between two times that Python handles its signals."""

PYTHON_SYMBOLS = ("PyEval_SaveThread", "PyEval_RestoreThread", "PyErr_CheckSignals")
"""Functions of Python's that generated code calls."""
CLOCK_SYMBOL = "timespec_get"
"""The function of C's that tells the time."""

CONTROL = "{ i64, ptr, i64, ptr }"
"""What ``%control`` points to: the budget while functions are called; Python's state of the thread, or null in a
thread that is not Python's; when Python last looked for signals, or 0; the address of the word that stops the kernel
when it is no longer 0. That address is changed where the handler of a signal raises."""

POLL = f"""\
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare i32 @PyErr_CheckSignals()
declare i32 @{CLOCK_SYMBOL}(ptr, i32)
define internal i64 @krnlpy_poll(ptr %control)
    noinline cold nounwind memory(argmem: readwrite, inaccessiblemem: readwrite) {{
entry:
  %time = alloca {{ i64, i64 }}
  %told = getelementptr {CONTROL}, ptr %control, i32 0, i32 3
  %word = load ptr, ptr %told
  %stop = load atomic i32, ptr %word monotonic, align 4
  %stops = icmp ne i32 %stop, 0
  br i1 %stops, label %leave, label %ask
ask:
  call i32 @{CLOCK_SYMBOL}(ptr %time, i32 1)
  %seconds = load i64, ptr %time
  %rest = getelementptr i8, ptr %time, i64 8
  %nanoseconds = load i32, ptr %rest
  %whole = mul i64 %seconds, 1000000000
  %part = zext i32 %nanoseconds to i64
  %now = add i64 %whole, %part
  %looked = getelementptr {CONTROL}, ptr %control, i32 0, i32 2
  %before = load i64, ptr %looked
  %since = sub i64 %now, %before
  %soon = icmp ult i64 %since, {_PERIOD}
  br i1 %soon, label %go, label %look
look:
  store i64 %now, ptr %looked
  %first = icmp eq i64 %before, 0
  br i1 %first, label %go, label %look_up
look_up:
  %where = getelementptr {CONTROL}, ptr %control, i32 0, i32 1
  %state = load ptr, ptr %where
  %foreign = icmp eq ptr %state, null
  br i1 %foreign, label %go, label %signals
signals:
  call void @PyEval_RestoreThread(ptr %state)
  %raised = call i32 @PyErr_CheckSignals()
  %again = call ptr @PyEval_SaveThread()
  store ptr %again, ptr %where
  %raises = icmp ne i32 %raised, 0
  br i1 %raises, label %interrupted, label %go
interrupted:
  store ptr @krnlpy_stop, ptr %told
  br label %leave
go:
  br label %leave
leave:
  %budget = phi i64 [ {_BUDGET}, %go ], [ 0, %entry ], [ 0, %interrupted ]
  ret i64 %budget
}}
@krnlpy_stop = internal constant i32 1, align 4
"""
"""``i64 krnlpy_poll(control)``: the budget until the next poll, or 0 if the work is to stop."""


def start_budget(b: Builder) -> None:
    """Starts the budget, where a kernel begins."""
    b.store("i64", str(_BUDGET), b.alloca("i64", name="%budget"))


def enter_function(b: Builder) -> None:
    """Takes over the caller's budget, where a function with loops that poll begins."""
    b.alloca("i64", name="%budget")
    load_budget(b)


def leave_function(b: Builder) -> None:
    """Gives back what is left, where the function ends."""
    b.place("stopped")
    save_budget(b)


def save_budget(b: Builder) -> None:
    """Stores the budget where the called or the calling function finds it."""
    b.store("i64", b.load("i64", "%budget"), _field(b, 0))


def load_budget(b: Builder) -> None:
    """Loads the budget that a function left."""
    b.store("i64", b.load("i64", _field(b, 0)), "%budget")


def charge(b: Builder, work: str) -> None:
    """Subtracts work (an i64) from the budget, and polls when it is used up. A kernel that is to stop ends here."""
    b.module.define("krnlpy_poll", POLL)
    poll, go = b.fresh("poll"), b.fresh("go")
    budget = b.load("i64", "%budget")
    used_up = b.op(f"icmp ult i64 {budget}, {work}")  # one instruction with the subtraction
    b.store("i64", b.op(f"sub i64 {budget}, {work}"), "%budget")
    b.branch_if(used_up, poll, go, UNLIKELY)
    b.place(poll)
    budget = b.op("call i64 @krnlpy_poll(ptr %control)")
    b.store("i64", budget, "%budget")
    b.branch_if(b.op(f"icmp eq i64 {budget}, 0"), "stopped", go)
    b.place(go)


class BudgetCharges:
    """The charges in the function that is being written, as i64 values."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._counts: dict[TripCount, str] = {}
        self._values: dict[WorkEstimate, str] = {}
        self._strips: dict[WorkEstimate, str] = {}

    def write(self, writer: Expressions, threads: int) -> str:
        """Computes what depends on the launch, where a kernel begins. Returns whether an iteration takes too long (an
        i1), or "" where nothing can be done about it. ``threads``: of a group; 1 for items."""
        b, work = writer.b, self._work
        for variable, value in work.known.items():
            own = writer.variables[variable] = b.alloca(variable.type.llvm)
            b.store(variable.type.llvm, writer.value(value), own)
        amounts = {work.body: threads}
        amounts.update({loop.per_iteration: 1 for loop in work.loops.values() if loop.polls})
        too_much = ""
        for amount, factor in amounts.items():
            self._write(writer, amount)
            whole = self.per_iteration(b, amount, factor)
            if amount.loops:
                shorter = b.op(f"udiv i64 {_STRIP}, {whole}")
                self._strips[amount] = b.intrinsic("llvm.umax.i64", "i64", ("i64", shorter), ("i64", "1"))
            if work.deepest > work.levels:
                more = b.op(f"icmp ugt i64 {whole}, {_LIMIT}")
                too_much = more if not too_much else b.op(f"or i1 {too_much}, {more}")
        return too_much

    def per_iteration(self, b: Builder, amount: WorkEstimate, threads: int = 1) -> str:
        """The charge of an iteration of so many threads."""
        if not amount.loops:
            return str(amount.nodes * threads)
        return self._values[amount] if threads == 1 else b.op(f"mul i64 {self._values[amount]}, {threads}")

    def strip(self, amount: WorkEstimate, threads: int = 1) -> str:
        """How many iterations are done without a poll."""
        if amount.loops:
            return self._strips[amount]
        # A power of two, so that they fill vectors.
        return str(1 << max(0, (_STRIP // (amount.nodes * threads)).bit_length() - 1))

    def of_body(self, b: Builder, threads: int = 1) -> tuple[str, str]:
        """How many items or groups are done without a poll, and the charge of one."""
        return self.strip(self._work.body, threads), self.per_iteration(b, self._work.body, threads)

    def of_loop(self, loop: ir.Stmt) -> LoopWork:
        """The work of a loop."""
        return self._work.loops[loop]

    def _write(self, writer: Expressions, amount: WorkEstimate) -> str:
        if not amount.loops:
            return str(amount.nodes)
        if amount in self._values:
            return self._values[amount]
        b, total = writer.b, str(amount.nodes)
        for length, inner in amount.loops:
            product = b.op(f"mul i64 {self._count(writer, length)}, {self._write(writer, inner)}")
            total = b.op(f"add i64 {total}, {product}")
            total = b.intrinsic("llvm.umin.i64", "i64", ("i64", total), ("i64", str(MOST)))
        self._values[amount] = total
        return total

    def _count(self, writer: Expressions, length: TripCount) -> str:
        """At most so many iterations (an i64), and at most MOST."""
        if length not in self._counts:
            b, type = writer.b, length.low.type
            low, high = writer.value(length.low), writer.value(length.high)
            some = b.op(f"icmp {'s' if type.is_signed else 'u'}lt {type.llvm} {low}, {high}")
            distance = b.op(f"sub {type.llvm} {high}, {low}")
            if length.step != 1:
                step = str(length.step) if isinstance(length.step, int) else writer.value(length.step)
                if not isinstance(length.step, int):
                    step = b.intrinsic(f"llvm.umax.{type.llvm}", type.llvm, (type.llvm, step), (type.llvm, "1"))
                distance = b.op(f"udiv {type.llvm} {distance}, {step}")
            wide = distance if type.bits == 64 else b.op(f"zext {type.llvm} {distance} to i64")
            if length.step != 1:
                wide = b.op(f"add i64 {wide}, 1")
            least = b.intrinsic("llvm.umin.i64", "i64", ("i64", wide), ("i64", str(MOST)))
            self._counts[length] = b.select(some, "i64", least, "0")
        return self._counts[length]


def _field(b: Builder, number: int) -> str:
    return b.op(f"getelementptr {CONTROL}, ptr %control, i32 0, i32 {number}")
