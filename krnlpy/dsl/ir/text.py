"""The IR as text to read: like Python, each statement under the number of its line, each variable with its type.

Integers are i32 and floats f32 unless a suffix says otherwise (``3u8``, ``0.5f64``). ``x[]`` is an item.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

from krnlpy.dsl import ir
from krnlpy.scalar import ScalarType, boolean, f32, i32

# How tightly Python's operators bind, greatest first.
_PRIMARY, _POWER, _UNARY, _MULTIPLY, _ADD, _SHIFT, _AND, _XOR, _OR, _COMPARE, _NOT, _BOTH, _EITHER, _SELECT = range(
    14, 0, -1
)
_BINARY = {
    "add": ("+", _ADD),
    "sub": ("-", _ADD),
    "mul": ("*", _MULTIPLY),
    "div": ("/", _MULTIPLY),
    "floordiv": ("//", _MULTIPLY),
    "mod": ("%", _MULTIPLY),
    "pow": ("**", _POWER),
    "shl": ("<<", _SHIFT),
    "shr": (">>", _SHIFT),
    "and": ("&", _AND),
    "xor": ("^", _XOR),
    "or": ("|", _OR),
}
_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_UNARY_OPS = {"neg": ("-", _UNARY), "invert": ("~", _UNARY), "not": ("not ", _NOT)}
_SHOWN = 16
"""Elements of a table that are written."""
_AXIS_IDS = ("global_id", "global_threads", "group_id", "groups", "thread_id", "threads")


def program_text(program: ir.Program) -> str:
    """A program as text, the functions that it calls first.

    >>> from krnlpy import Item, ItemMut, f32, kernel
    >>> @kernel
    ... def double(x: Item[f32], y: ItemMut[f32]):
    ...     y = 2.0 * x
    >>> print(double.inspect("ir"))
          kernel double(x: Item[f32], y: ItemMut[f32])
        3     y[] = 2.0 * x[]
    """
    parts = [[_table(table) for table in program.constant_arrays]] if program.constant_arrays else []
    parts += [_function(f) for f in program.functions]
    parameters = ", ".join(_parameter(p) for p in program.parameters)
    head = f"kernel {program.name}({parameters}){' unchecked' if program.unchecked else ''}"
    body = ir.substituted(program.body, _Distinct(p.name for p in program.parameters).of)
    parts.append([(None, 0, head), *_arrays(program.group_arrays, program.local_arrays), *_block(body, 1)])
    lines = [line for part in parts for line in [(None, 0, ""), *part]][1:]
    width = max(5, *(len(str(number)) for number, _, _ in lines if number is not None), 5)
    texts = [f"{'' if number is None else number:>{width}} {'    ' * depth}{text}" for number, depth, text in lines]
    return "\n".join(text.rstrip() for text in texts)


class _Distinct:
    """Gives the variables of a function names that differ: the frontend's own may be alike."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._found: dict[ir.Variable, ir.Variable] = {}

    def of(self, owned: ir.Variable | ir.LocalArray) -> Any:
        if not isinstance(owned, ir.Variable):
            return owned
        if owned not in self._found:
            name, count = owned.name, 2
            while name in self._taken:
                name, count = f"{owned.name}_{count}", count + 1
            self._taken.add(name)
            self._found[owned] = replace(owned, name=name)
        return self._found[owned]


_Line = tuple[int | None, int, str]
"""The number of a line of Python, the indentation, and the text."""


def _parameter(p: ir.Parameter) -> str:
    type = f"{p.type}"
    if isinstance(p, ir.SpecParameter):
        default = "" if p.default is None else f" = {p.default}"
        return f"{p.name}: Spec[{type}]{default}"
    if isinstance(p, ir.ItemParameter):
        return f"{p.name}: Item{'Mut' if p.mutable else ''}[{type}]"
    if isinstance(p, ir.GlobalParameter):
        kind = "Out" if p.once else f"Global{'Mut' if p.mutable else ''}"
        return f"{p.name}: {kind}[{type}{f', {p.ndim}' if p.ndim != 1 else ''}]"
    return f"{p.name}: {type}"


def _function(function: ir.Function) -> list[_Line]:
    distinct = _Distinct()
    variables = [distinct.of(v) for v in function.parameters]
    parameters = ", ".join(f"{v.name}: {v.type}" for v in variables)
    body = ir.substituted(function.body, distinct.of)
    head = f"func {function.name}({parameters}) -> {', '.join(map(str, function.results)) or 'None'}"
    return [(None, 0, head), *_arrays((), function.local_arrays), *_block(body, 1)]


def _arrays(group: tuple[ir.GroupArray, ...], local: tuple[ir.LocalArray, ...]) -> Iterator[_Line]:
    for verb, arrays in (("group_array", group), ("local_array", local)):
        for array in arrays:
            shape = ", ".join(_text(n) for n in array.shape)
            yield None, 1, f"{array.name} = {verb}({array.type}, ({shape}{',' if len(array.shape) == 1 else ''}))"


def _table(table: ir.ConstantArray) -> _Line:
    shape = ", ".join(_text(n) for n in table.shape)
    values = ", ".join(str(value) for value in table.values[:_SHOWN])
    values += ", ..." if len(table.values) > _SHOWN else ""
    return None, 0, f"{table.name} = constant_array({table.type}, ({shape}{',' * (len(table.shape) == 1)}), [{values}])"


# ---------------------------------------------------------------------------------------------------------- statements


def _block(block: ir.Block, depth: int) -> Iterator[_Line]:
    if not block:
        yield None, depth, "pass"
    for statement in block:
        yield from _statement(statement, depth)


def _statement(s: ir.Stmt, depth: int) -> Iterator[_Line]:
    line = s.location.line
    match s:
        case ir.Assign():
            yield line, depth, f"{s.variable.name}: {s.variable.type} = {_text(s.value)}"
        case ir.Store():
            yield line, depth, f"{_element(s)} = {_text(s.value)}"
        case ir.If():
            yield line, depth, f"if {_text(s.condition)}:"
            yield from _block(s.then, depth + 1)
            if s.otherwise:
                yield None, depth, "else:"
                yield from _block(s.otherwise, depth + 1)
        case ir.While():
            yield line, depth, f"while {_text(s.condition)}:"
            yield from _block(s.body, depth + 1)
        case ir.For():
            bounds = ", ".join(_text(e) for e in (s.start, s.stop, s.step))
            yield line, depth, f"for {s.variable.name}: {s.variable.type} in range({bounds}):"
            yield from _block(s.body, depth + 1)
        case ir.Return():
            yield line, depth, f"return {', '.join(_text(v) for v in s.values)}".rstrip()
        case ir.Invoke():
            results = ", ".join(f"{v.name}: {v.type}" for v in s.targets)
            call = f"{s.function.name}({', '.join(_text(a) for a in s.arguments)})"
            yield line, depth, f"{results} = {call}" if results else call
        case ir.Collective():
            results = ", ".join(f"{v.name}: {v.type}" for v in s.targets)
            arguments = [_text(operand) for operand in s.operands] + ([f"cluster={s.cluster}"] if s.cluster else [])
            call = f"subgroup_{s.op}({', '.join(arguments)})"
            yield line, depth, f"{results} = {call}" if results else call
        case ir.Atomic():
            operands = [_text(e) for e in (s.expected, s.value) if e is not None]
            call = f"atomic_{s.op}({', '.join([_element(s), *operands])})"
            yield line, depth, "".join(f"{v.name}: {v.type} = " for v in s.targets) + call
        case ir.Break() | ir.Continue():
            yield line, depth, type(s).__name__.lower()
        case _:
            yield line, depth, _node(s)


# --------------------------------------------------------------------------------------------------------- expressions


def _text(e: ir.Expr, level: int = 0) -> str:
    """An expression, in parentheses where it binds less tightly than ``level``."""
    text, own = _write(e)
    return text if own >= level else f"({text})"


def _write(e: ir.Expr) -> tuple[str, int]:
    match e:
        case ir.Const():
            text = _constant(e.value, e.type)
            return text, _UNARY if text.startswith("-") else _PRIMARY
        case ir.Local():
            return e.variable.name, _PRIMARY
        case ir.Argument() | ir.SpecValue():
            return e.parameter.name, _PRIMARY
        case ir.Extent():
            return f"{e.place.name}.shape[{e.axis}]", _PRIMARY
        case ir.Id():
            return f"{e.name}({e.axis if e.name in _AXIS_IDS else ''})", _PRIMARY
        case ir.Load():
            return _element(e), _PRIMARY
        case ir.Unary():
            symbol, level = _UNARY_OPS[e.op]
            return f"{symbol}{_text(e.operand, level)}", level
        case ir.Binary() if e.op in _BINARY:
            symbol, level = _BINARY[e.op]
            right_associative = e.op == "pow"
            left = _text(e.left, level + right_associative)
            return f"{left} {symbol} {_text(e.right, level + (not right_associative))}", level
        case ir.Binary():
            return f"{e.op}({_text(e.left)}, {_text(e.right)})", _PRIMARY
        case ir.Compare():
            return f"{_text(e.left, _COMPARE + 1)} {_COMPARISONS[e.op]} {_text(e.right, _COMPARE + 1)}", _COMPARE
        case ir.Logical():
            level = _BOTH if e.op == "and" else _EITHER
            return f"{_text(e.left, level)} {e.op} {_text(e.right, level + 1)}", level
        case ir.Select():
            condition, then = _text(e.condition, _SELECT + 1), _text(e.then, _SELECT + 1)
            return f"{then} if {condition} else {_text(e.otherwise, _SELECT)}", _SELECT
        case ir.Cast():
            return f"{e.type}({_text(e.operand)})", _PRIMARY
        case ir.Round():
            return f"round_{e.to}({_text(e.operand)})", _PRIMARY
        case ir.Math():
            return f"{e.name}({', '.join(_text(o) for o in e.operands)})", _PRIMARY
        case ir.Call():
            return f"{e.function.name}({', '.join(_text(a) for a in e.arguments)})", _PRIMARY
    return _node(e), _PRIMARY


def _constant(value: int | float | bool, type: ScalarType) -> str:
    return f"{value}{'' if type in (i32, f32, boolean) else type}"


def _element(node: ir.Load | ir.Store | ir.Atomic) -> str:
    name = node.place.name if node.checked else f"unchecked({node.place.name})"
    return f"{name}[{', '.join(_text(i) for i in node.index)}]"


def _node(node: ir.Expr | ir.Stmt) -> str:
    """Any other node, like the call of a function: its name, and what it has."""
    found = [f for f in fields(node) if f.name not in ("type", "location", "checked")]
    name = f"{'' if getattr(node, 'checked', True) else 'unchecked '}{type(node).__name__.lower()}"
    return f"{name}({', '.join(_field(getattr(node, f.name)) for f in found)})"


def _field(value: object) -> str:
    if isinstance(value, ir.Expr):
        return _text(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_field(v) for v in value)}]"
    return str(getattr(value, "name", value))
