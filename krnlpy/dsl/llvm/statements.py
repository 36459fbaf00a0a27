"""Statements of the IR as LLVM IR: control flow without barriers, and the functions that kernels call."""

from __future__ import annotations

from collections.abc import Iterable

from krnlpy.dsl import ir
from krnlpy.dsl.semantics.breakpoints import refuse
from krnlpy.errors import CompileError
from krnlpy.scalar import ScalarType, i32

from . import polls, reports
from .atomics import Atomics
from .builder import LOCAL_ARRAY, Builder, literal
from .context import Array, Capture, Context


class Statements(Atomics):
    """Writes the statements of one function, or of what a kernel's threads do between barriers."""

    def __init__(self, context: Context, builder: Builder, charges: polls.BudgetCharges) -> None:
        super().__init__(context, builder)
        self.charges = charges
        self.call_function = self._call
        self._loops: list[tuple[str, str]] = []  # the labels of break and continue
        self.return_label = ""
        self.results: list[str] = []

    def declare(self, variables: Iterable[ir.Variable]) -> None:
        """Makes room for variables. They start at zero, so that no value travels between iterations of threads."""
        for variable in variables:
            if variable not in self.variables:
                self.variables[variable] = self.b.alloca(variable.type.llvm)
            self.b.store(variable.type.llvm, literal(0, variable.type), self.variables[variable])

    def declare_arrays(self, arrays: Iterable[ir.LocalArray]) -> None:
        """Makes room for a thread's own arrays, and zeroes them."""
        for array in arrays:
            shape = self.context.shape(array)
            size = array.type.size * element_count(shape)
            if array not in self.arrays:
                base = self.b.alloca(f"[{size} x i8], align 64", "array")
                self.arrays[array] = Array(base, tuple(map(str, shape)), row_major(shape), LOCAL_ARRAY)
            zero(self.b, self.arrays[array].base, size)

    def enter_loop(self, *labels: str) -> None:
        """Sets where break and continue go that are in no loop of what is written."""
        self._loops = [(labels[0], labels[1])] if labels else []

    def block(self, statements: ir.Block) -> None:
        for statement in statements:
            self.statement(statement)

    def statement(self, statement: ir.Stmt) -> None:
        b = self.b
        match statement:
            case ir.Assign():
                value = self.value(statement.value)
                b.store(statement.variable.type.llvm, value, self.variables[statement.variable])
            case ir.Store():
                self.store(statement)
            case ir.If():
                self._if(statement)
            case ir.While():
                self._while(statement)
            case ir.For():
                self._for(statement)
            case ir.Break():
                b.branch(self._loops[-1][0])
            case ir.Continue():
                b.branch(self._loops[-1][1])
            case ir.Return():
                values = [self.value(value) for value in statement.values]
                for expr, value, result in zip(statement.values, values, self.results, strict=True):
                    b.store(expr.type.llvm, value, result)
                b.branch(self.return_label)
            case ir.Invoke():
                self._invoke(statement)
            case ir.Atomic():
                self.atomic(statement)
            case ir.Fence():
                self.fence(statement)
            case ir.Breakpoint():
                refuse(statement)
            case ir.Print():
                site = self.context.sites.statement(statement)
                reports.print_record(b, site, self.thread, [(self.value(v), v.type) for v in statement.values])
            case ir.Assert():
                self._assert(statement)
            case _:
                raise CompileError(f"no LLVM IR for {type(statement).__name__}")

    def _assert(self, statement: ir.Assert) -> None:
        b = self.b
        if not self.context.debug:
            return
        fail, passed = b.fresh("fail"), b.fresh("passed")
        b.branch_if(self.value(statement.condition), passed, fail)
        b.place(fail)
        values = [(self.value(v), v.type) for v in statement.values]
        reports.fail(b, self.context.sites.statement(statement), self.thread, values)
        b.place(passed)

    def _if(self, statement: ir.If) -> None:
        b = self.b
        then, otherwise, join = b.fresh("then"), b.fresh("else"), b.fresh("join")
        b.branch_if(self.value(statement.condition), then, otherwise)
        b.place(then)
        self.block(statement.then)
        b.branch(join)
        b.place(otherwise)
        self.block(statement.otherwise)
        b.place(join)

    def _while(self, statement: ir.While) -> None:
        b = self.b
        head, body, leave = b.fresh("while"), b.fresh("body"), b.fresh("leave")
        b.place(head)
        b.branch_if(self.value(statement.condition), body, leave)
        b.place(body)
        polls.charge(b, self.charges.per_iteration(b, self.charges.of_loop(statement).per_iteration))
        self._loops.append((leave, head))
        self.block(statement.body)
        self._loops.pop()
        b.branch(head)
        b.place(leave)

    def _for(self, statement: ir.For) -> None:
        loop = RangeLoop(self, statement)
        loop.enter()
        self.b.store(statement.variable.type.llvm, loop.current, self.variables[statement.variable])
        self._loops.append((loop.leave_label, loop.next_label))
        self.block(statement.body)
        self._loops.pop()
        loop.close()

    # -- functions

    def _invoke(self, call: ir.Invoke) -> None:
        """Inlines the function: it reads and writes places of the caller."""
        function, b = call.function, self.b
        arguments = [self.value(argument) for argument in call.arguments]
        own = (*function.parameters, *ir.assigned_variables(function.body))
        self.declare(own)
        for parameter, value in zip(function.parameters, arguments, strict=True):
            b.store(parameter.type.llvm, value, self.variables[parameter])
        self.declare_arrays(function.local_arrays)
        outer = self.return_label, self.results, self._loops
        self.return_label = b.fresh("returned")
        self.results = [self.variables[target] for target in call.targets]
        self._loops = []
        self.block(function.body)
        b.place(self.return_label)
        self.return_label, self.results, self._loops = outer

    def _call(self, call: ir.Call) -> str:
        function, context = call.function, self.context
        arguments = [(a.type.llvm, self.value(a)) for a in call.arguments]
        for capture in context.captures(function):
            if isinstance(capture, ir.ScalarParameter):
                arguments.append((_capture_type(capture).llvm, self.arguments[capture]))
            else:
                arguments.append(("i32", self.ids[capture]))
        if context.debug:
            arguments.append(("ptr", "%report"))
        if not context.work.polls(function):
            return self.b.call(call.type.llvm, define_function(context, function), arguments)
        polls.save_budget(self.b)
        result = self.b.call(call.type.llvm, define_function(context, function), [*arguments, ("ptr", "%control")])
        polls.load_budget(self.b)
        return result


class RangeLoop:
    """``for variable in range(start, stop, step)``, around whatever body is written between enter and close.

    A loop that polls is done in strips, with a poll between two. It polls before each iteration if an iteration may
    leave the loop, or is one of all threads of a group.

    Args:
        threads: how many do an iteration.
    """

    def __init__(self, writer: Statements, loop: ir.For, threads: int = 1) -> None:
        b = self._b = writer.b
        self._hint = writer.context.hint(loop)
        self._type: ScalarType = loop.variable.type
        self._step_value = writer.context.static(loop.step)
        self._start, self._stop = writer.value(loop.start), writer.value(loop.stop)
        self._step = writer.value(loop.step)
        self._head, self._body = b.fresh("for"), b.fresh("body")
        self.next_label, self.leave_label = b.fresh("next"), b.fresh("leave")
        self.current = ""
        """The value of the iteration, once entered."""
        work, charges = writer.charges.of_loop(loop), writer.charges
        is_polling = work.polls and self._hint is None
        self._polls_each = is_polling and (work.leaves or threads > 1)
        self._strips = is_polling and not self._polls_each
        if is_polling:
            self._work, self._longest = (
                charges.per_iteration(b, work.per_iteration, threads),
                charges.strip(work.per_iteration, threads),
            )
        self._single = self._step_value == 1 or (self._step_value == -1 and self._type.is_signed)

    def by_count(self) -> tuple[str, str, str]:
        """The first value, the step and the count of iterations, for loops that are written otherwise."""
        return self._start, self._step, self._count()

    def enter(self) -> None:
        b, t = self._b, self._type.llvm
        self._next = b.alloca(t)
        if not self._single:
            # The count is known before, so that no step over the end of the type's range goes wrong.
            self._left = b.alloca(t)
            self._rest = b.alloca(t) if self._strips else self._left  # of the loop
            b.store(t, self._count(), self._rest)
        b.store(t, self._start, self._next)
        stop = self._enter_strip() if self._strips else self._stop
        b.place(self._head)
        self.current = b.load(t, self._next)
        b.branch_if(self._continues(self.current, stop), self._body, self._end_label)
        b.place(self._body)
        if self._polls_each:
            polls.charge(b, self._work)

    @property
    def _end_label(self) -> str:
        """Where it goes on after the last iteration, or the last of a strip."""
        return self._strip if self._strips else self.leave_label

    def _continues(self, current: str, stop: str) -> str:
        b, t = self._b, self._type.llvm
        if self._single:
            return b.op(f"icmp {self._sign}{'lt' if self._step_value == 1 else 'gt'} {t} {current}, {stop}")
        return b.op(f"icmp ne {t} {b.load(t, self._left)}, 0")

    @property
    def _sign(self) -> str:
        return "s" if self._type.is_signed else "u"

    def _enter_strip(self) -> str:
        """Begins a strip; returns where it stops."""
        b, t = self._b, self._type.llvm
        self._strip, begin = b.fresh("strip"), b.fresh("begin")
        b.place(self._strip)
        first = b.load(t, self._next)
        if self._single:
            b.branch_if(self._continues(first, self._stop), begin, self.leave_label)
        else:
            left = b.load(t, self._rest)
            b.branch_if(b.op(f"icmp ne {t} {left}, 0"), begin, self.leave_label)
        b.place(begin)
        if self._single:
            up = self._step_value == 1
            left = b.op(f"sub {t} {self._stop if up else first}, {first if up else self._stop}")
        wide = left if self._type.bits == 64 else b.op(f"zext {t} {left} to i64")
        wide = b.intrinsic("llvm.umin.i64", "i64", ("i64", wide), ("i64", self._longest))
        count = wide if self._type.bits == 64 else b.op(f"trunc i64 {wide} to {t}")
        polls.charge(b, b.op(f"mul i64 {wide}, {self._work}"))
        if self._single:
            return b.op(f"{'add' if up else 'sub'} n{self._sign}w {t} {first}, {count}")
        b.store(t, b.op(f"sub {t} {left}, {count}"), self._rest)
        b.store(t, count, self._left)
        return ""

    def _count(self) -> str:
        b, t, sign = self._b, self._type.llvm, self._sign
        up = b.op(f"icmp {sign}gt {t} {self._step}, 0")
        low = b.select(up, t, self._start, self._stop)
        high = b.select(up, t, self._stop, self._start)
        some = b.op(f"and i1 {b.op(f'icmp {sign}lt {t} {low}, {high}')}, {b.op(f'icmp ne {t} {self._step}, 0')}")
        magnitude = b.select(up, t, self._step, b.op(f"sub {t} 0, {self._step}"))
        divisor = b.select(b.op(f"icmp eq {t} {magnitude}, 0"), t, "1", magnitude)
        last = b.op(f"sub {t} {b.op(f'sub {t} {high}, {low}')}, 1")
        count = b.op(f"add {t} {b.op(f'udiv {t} {last}, {divisor}')}, 1")
        return b.select(some, t, count, "0")

    def close(self) -> None:
        b, t = self._b, self._type.llvm
        b.place(self.next_label)
        # A single step from a value before stop can't leave the type's range, and LLVM may know.
        no_wrap = f" n{self._sign}w" if self._single else ""
        b.store(t, b.op(f"add{no_wrap} {t} {self.current}, {self._step}"), self._next)
        if not self._single:
            b.store(t, b.op(f"sub {t} {b.load(t, self._left)}, 1"), self._left)
        b.branch(self._head, "" if self._hint is None else b.module.hinted_loop(self._hint))
        b.place(self.leave_label)


def define_function(context: Context, function: ir.Function) -> str:
    """Defines a function, once; returns its symbol."""
    symbol = f"function{context.program.functions.index(function)}"
    if symbol in context.module:
        return symbol
    b = Builder(context.module)
    body = Statements(context, b, polls.BudgetCharges(context.work))
    listed = []
    for i, parameter in enumerate(function.parameters):
        listed.append(f"{parameter.type.llvm} %p{i}")
        body.variables[parameter] = b.alloca(parameter.type.llvm)
        b.store(parameter.type.llvm, f"%p{i}", body.variables[parameter])
    for i, capture in enumerate(context.captures(function)):
        listed.append(f"{_capture_type(capture).llvm} %c{i}")
        if isinstance(capture, ir.ScalarParameter):
            body.arguments[capture] = f"%c{i}"
        else:
            body.ids[capture] = f"%c{i}"
    is_polling = context.work.polls(function)
    if context.debug:
        listed.append("ptr %report")
    if is_polling:
        listed.append("ptr %control")
        polls.enter_function(b)
    body.declare(v for v in ir.assigned_variables(function.body) if v not in function.parameters)
    body.declare_arrays(function.local_arrays)
    (type,) = (result.llvm for result in function.results)
    body.return_label, body.results = "finish", [b.alloca(type)]
    body.block(function.body)
    b.place("finish")
    if is_polling:
        polls.leave_function(b)
    b.ret(type, b.load(type, body.results[0]))
    inline = "alwaysinline" if function in context.inlined else "inlinehint"
    header = f"define internal {type} @{symbol}({', '.join(listed)}) {inline} nounwind"
    context.module.define(symbol, b.finish(header))
    return symbol


def _capture_type(capture: Capture) -> ScalarType:
    return capture.type.compute if isinstance(capture, ir.ScalarParameter) else i32


def element_count(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


def row_major(shape: tuple[int, ...]) -> tuple[str, ...]:
    """The strides of an array of constant shape, as values."""
    return tuple(str(element_count(shape[axis + 1 :])) for axis in range(len(shape)))


def zero(b: Builder, pointer: str, size: int) -> None:
    """Fills bytes with zeros."""
    name = "llvm.memset.p0.i64"
    b.module.define(name, f"declare void @{name}(ptr, i8, i64, i1)")
    b.do(f"call void @{name}(ptr {pointer}, i8 0, i64 {size}, i1 false)")
