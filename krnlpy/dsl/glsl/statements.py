"""Statements of the IR as lines of GLSL, each under the number of the Python line it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

from krnlpy.dsl import ir
from krnlpy.dsl.semantics.breakpoints import refuse
from krnlpy.scalar import ScalarType, i32

from .context import ALWAYS, NO_THREAD, Context
from .cooperative import CooperativeStatements
from .declarations import Declarations, declarations
from .expressions import Expressions
from .names import Names
from .places import Places


class Lines:
    """Lines of code, indented, with ``#line`` directives where the compiler's count would go astray."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0
        self._next: tuple[str, int] | None = None

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)

    def add(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)
        if self._next is not None:
            self._next = (self._next[0], self._next[1] + 1)

    def at(self, where: ir.Location) -> None:
        """The next line comes from a place in the Python source."""
        # Directives know only plain text in quotes, and lines from 1.
        name = "".join(c for c in PurePath(where.file).name if c.isprintable() and c not in '"\\')
        here = (name, max(where.line, 1))
        if here != self._next:
            self._lines.append(f'#line {here[1]} "{name}"')
            self._next = here

    def splice(self, other: Lines) -> None:
        """Adds lines written apart."""
        self._lines += other._lines
        self._next = other._next

    @contextmanager
    def indented(self) -> Iterator[None]:
        self._depth += 1
        yield
        self._depth -= 1


class Statements:
    """Writes the body of a kernel or function."""

    def __init__(self, context: Context, places: Places, lines: Lines) -> None:
        self._context = context
        self._places = places
        self._lines = lines
        self._names = Names(context.names)
        self._variables: dict[ir.Variable, str] = {}
        self._declarations = Declarations()
        self._expressions = Expressions(context, places, self._variables)
        self._results: list[str] = []
        self._cooperative = CooperativeStatements(
            context, places.whole, self._expressions.text, self._expressions.index, lines.add
        )

    def result(self, type: ScalarType) -> str:
        """Names one of several results of the function and returns its declaration."""
        self._results.append(self._names.unique(f"result{len(self._results)}"))
        return f"out {self._context.type(type)} {self._results[-1]}"

    def matrices(self, program: ir.Program) -> None:
        """Declares the cooperative matrices of the kernel."""
        for line in self._cooperative.declarations(program):
            self._lines.add(line)

    def parameter(self, variable: ir.Variable) -> str:
        """Names a parameter of the function and returns its declaration."""
        return f"{self._context.type(variable.type)} {self._name(variable)}"

    def body(self, block: ir.Block, parameters: tuple[ir.Variable, ...] = ()) -> None:
        """Writes the statements of a whole function."""
        self._declarations = declarations(block, parameters)
        last = block[-1] if block else None
        self._block(block[:-1] if isinstance(last, ir.Return) and not last.values else block)

    def _name(self, variable: ir.Variable) -> str:
        if variable not in self._variables:
            self._variables[variable] = self._names.unique(variable.name)
        return self._variables[variable]

    def _block(self, block: ir.Block) -> None:
        for statement in block:
            for variable in self._declarations.before.get(statement, ()):
                self._lines.add(f"{self._context.type(variable.type)} {self._name(variable)};")
            self._lines.at(statement.location)
            self._statement(statement)

    def _inner(self, block: ir.Block) -> None:
        with self._lines.indented():
            self._block(block)

    def _statement(self, statement: ir.Stmt) -> None:
        add, text = self._lines.add, self._expressions.text
        match statement:
            case ir.Assign():
                value = text(statement.value)
                declared = statement in self._declarations.with_assignment
                glsl = f"{self._context.type(statement.variable.type)} " if declared else ""
                add(f"{glsl}{self._name(statement.variable)} = {value};")
            case ir.Store():
                index = self._expressions.indices(statement)
                add(self._places.store(statement, index, text(statement.value)))
            case ir.If():
                self._if(statement, "if")
            case ir.While():
                add(f"while ({text(statement.condition)}) {{")
                self._passes_of_threads()
                self._inner(statement.body)
                add("}")
            case ir.For():
                self._for(statement)
            case ir.Break():
                add("break;")
            case ir.Continue():
                add("continue;")
            case ir.Return():
                self._return(statement)
            case ir.Atomic():
                self._atomic(statement)
            case ir.Invoke():
                self._invoke(statement)
            case ir.Collective():
                self._collective(statement)
            case ir.CooperativeStmt():
                self._cooperative.write(statement)
            case ir.Print():
                add(self._context.reporter.call(statement, [text(value) for value in statement.values]))
            case ir.Assert():
                self._assert(statement)
            case ir.Barrier():
                add("groupMemoryBarrier(); barrier();" if self._context.orders_buffers else "barrier();")
            case ir.Fence():
                add("memoryBarrier();" if statement.scope == "device" else "groupMemoryBarrier();")
            case ir.Breakpoint():
                refuse(statement)
            case _:
                raise TypeError(f"no GLSL for {statement.__class__.__name__}")

    def _assert(self, statement: ir.Assert) -> None:
        if not self._context.options.debug:
            return
        text = self._expressions.text
        failed = self._context.reporter.call(statement, [text(value) for value in statement.values])
        self._lines.add(f"if (!{self._expressions.operand(statement.condition)}) {failed}")

    def _return(self, statement: ir.Return) -> None:
        values = [self._expressions.text(value) for value in statement.values]
        if len(values) == 1:
            self._lines.add(f"return {values[0]};")
            return
        for name, value in zip(self._results, values, strict=False):
            self._lines.add(f"{name} = {value};")
        self._lines.add("return;")

    def _invoke(self, statement: ir.Invoke) -> None:
        arguments = [self._expressions.text(a) for a in statement.arguments]
        targets = [self._name(v) for v in statement.targets]
        result = ""
        if len(targets) == 1:
            result = self._result_target(statement, statement.targets[0])
        else:
            arguments += targets
        self._lines.add(f"{result}{self._context.function_names[statement.function]}({', '.join(arguments)});")

    def _collective(self, statement: ir.Collective) -> None:
        value, targets = self._expressions.collective(statement), [self._name(v) for v in statement.targets]
        if not targets:
            self._lines.add(f"{value};")
        elif len(targets) == 1:
            self._assign_exchanged(statement, value)
        else:
            ballot = self._names.unique("ballot")
            if self._context.forgets:
                self._lines.add(f"uvec4 {ballot};")
                self._lines.add(f"if ({ALWAYS}) {ballot} = {value};")
            else:
                self._lines.add(f"const uvec4 {ballot} = {value};")
            for target, component in zip(targets, "xyzw", strict=True):
                self._lines.add(f"{target} = {ballot}.{component};")

    def _atomic(self, statement: ir.Atomic) -> None:
        index = self._expressions.indices(statement)
        operands = [e for e in (statement.expected, statement.value) if e is not None]
        arguments = [self._expressions.text(e) for e in operands]
        called = self._places.atomic(statement, index, arguments)
        if statement.targets:
            self._assign_exchanged(statement, called)
        else:
            self._lines.add(f"{called};")

    def _assign_exchanged(self, statement: ir.Atomic | ir.Collective, value: str) -> None:
        """Assigns what threads learn from each other, which the driver must not forget."""
        (target,) = statement.targets
        left = self._result_target(statement, target)
        if self._context.forgets:
            if left != f"{self._name(target)} = ":
                self._lines.add(f"{self._context.type(target.type)} {self._name(target)};")
            left = f"if ({ALWAYS}) {self._name(target)} = "
        self._lines.add(f"{left}{value};")

    def _result_target(self, statement: ir.Stmt, target: ir.Variable) -> str:
        """The left side of an assignment of a statement's one result."""
        declared = statement in self._declarations.with_assignment
        return f"{self._context.type(target.type) + ' ' if declared else ''}{self._name(target)} = "

    def _if(self, statement: ir.If, keyword: str) -> None:
        self._lines.add(f"{keyword} ({self._expressions.text(statement.condition)}) {{")
        self._inner(statement.then)
        match statement.otherwise:
            case ():
                self._lines.add("}")
            case (ir.If() as chained,) if chained not in self._declarations.before:
                self._if(chained, "} else if")
            case otherwise:
                self._lines.add("} else {")
                self._inner(otherwise)
                self._lines.add("}")

    # -------------------------------------------------------------------------------------------------- loops

    def _for(self, loop: ir.For) -> None:
        step = loop.step.value if isinstance(loop.step, ir.Const) else None
        own = loop in self._declarations.in_loop and loop.variable not in ir.assigned_variables(loop.body)
        if own and step is not None and _cannot_overflow(loop, int(step)):
            self._plain_for(loop, int(step))
        else:
            self._counted_for(loop)

    def _passes_of_threads(self) -> None:
        """Keeps the loop whose body begins here from going on for lanes to which no thread belongs."""
        if self._context.options.idle_lanes:
            with self._lines.indented():
                self._lines.add(f"if ({NO_THREAD}) break;")

    def _plain_for(self, loop: ir.For, step: int) -> None:
        type = self._context.type(loop.variable.type)
        stop = self._fixed(loop.stop, loop, "stop")
        start = self._expressions.text(loop.start)
        i = self._name(loop.variable)
        relation = "<" if step > 0 else ">"
        advance = {1: f"++{i}", -1: f"--{i}"}.get(step, f"{i} += {step}{'u' if type == 'uint' else ''}")
        self._lines.add(f"for ({type} {i} = {start}; {i} {relation} {stop}; {advance}) {{")
        self._passes_of_threads()
        self._inner(loop.body)
        self._lines.add("}")

    def _counted_for(self, loop: ir.For) -> None:
        """Counts iterations in another variable, because the sum of the variable and the step may overflow, or the body
        sets it."""
        kind = loop.variable.type
        type = self._context.type(kind)
        counter = "uint64_t" if kind.size == 8 else "uint"
        zero, one = ("0ul", "1ul") if kind.size == 8 else ("0u", "1u")
        start, step = self._fixed(loop.start, loop, "start"), self._fixed(loop.step, loop, "step")
        self._context.need("range_count", kind if kind.size == 8 or kind.kind == "uint" else i32)
        count = self._names.unique(f"{loop.variable.name}_count")
        stop = self._expressions.text(loop.stop)
        self._lines.add(f"const {counter} {count} = range_count({start}, {stop}, {step});")
        n = self._names.unique(f"{loop.variable.name}_number")
        self._lines.add(f"for ({counter} {n} = {zero}; {n} < {count}; {n} += {one}) {{")
        self._passes_of_threads()
        own = f"{type} " if loop in self._declarations.in_loop else ""
        with self._lines.indented():
            number = f"{type}({n})" if kind.kind == "int" else n
            factor = "" if step in ("1", "1u", "1l", "1ul") else f" * {step}"
            first = "" if start in ("0", "0u", "0l", "0ul") else f"{start} + "
            self._lines.add(f"{own}{self._name(loop.variable)} = {first}{number}{factor};")
            self._block(loop.body)
        self._lines.add("}")

    def _fixed(self, e: ir.Expr, loop: ir.For, role: str) -> str:
        """A bound of a loop as text whose value does not change in the loop: itself, or a constant made before."""
        if _is_simple(e) and not any(_reads(e, variable) for variable in ir.assigned_variables((loop,))):
            return self._expressions.operand(e)
        name = self._names.unique(f"{loop.variable.name}_{role}")
        self._lines.add(f"const {self._context.type(e.type)} {name} = {self._expressions.text(e)};")
        return name


def _reads(e: ir.Expr, variable: ir.Variable) -> bool:
    return any(isinstance(part, ir.Local) and part.variable is variable for part in ir.walk(e))


def _is_simple(e: ir.Expr) -> bool:
    """Whether repeating an expression is as cheap as a variable for it."""
    simple = (ir.Const, ir.Local, ir.Argument, ir.SpecValue, ir.Extent, ir.Id)
    return isinstance(e, simple) or (isinstance(e, ir.Cast) and isinstance(e.operand, simple))


def _cannot_overflow(loop: ir.For, step: int) -> bool:
    """Whether the variable plus the step fits its type in every iteration."""
    if step in (1, -1):
        return True
    if not step or not isinstance(loop.stop, ir.Const):
        return False
    kind = loop.variable.type
    return kind.min <= int(loop.stop.value) + step <= kind.max
