"""Output of kernels: ``print``, ``assert`` and ``breakpoint()``, lowered to statements of the IR."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from krnlpy.dsl import ir
from krnlpy.dsl.frontend.sequences import entries
from krnlpy.dsl.frontend.values import Compound, Static, Value, describe, is_number
from krnlpy.dsl.ir.formats import Field, Format
from krnlpy.dsl.types.composites import MatrixType, StructType
from krnlpy.errors import KernelSyntaxError, KernelTypeError
from krnlpy.scalar import ScalarType

if TYPE_CHECKING:
    from .expressions import ExpressionLowering


def lower_print(lowering: ExpressionLowering, call: ast.Call) -> None:
    """``print(*values, sep=" ", end="\\n")``."""
    options = {"sep": " ", "end": "\n"}
    for keyword in call.keywords:
        if keyword.arg not in options:
            raise KernelSyntaxError(
                f"print in a kernel takes sep and end, not {keyword.arg or '**'}; it always writes to sys.stdout",
                *lowering.at(keyword),
            )
        options[keyword.arg] = _constant_text(lowering, keyword.value, keyword.arg, options[keyword.arg])
    pieces: list[str | _Piece] = []
    for argument in call.args:
        if isinstance(argument, ast.Starred):
            raise KernelSyntaxError("kernels have no starred arguments; write the values out", *lowering.at(argument))
        pieces += [options["sep"]] if argument is not call.args[0] else []
        pieces += _pieces(lowering, argument)
    format, values = _format(lowering, [*pieces, options["end"]])
    lowering.emit_effect(ir.Print(format, values, location=lowering.at(call)))


def lower_assert(lowering: ExpressionLowering, node: ast.Assert) -> None:
    """``assert condition, message``. What was compared is shown beside the message."""
    shown: list[str | _Piece] = []
    test, where = node.test, lowering.at(node.test)
    if isinstance(test, ast.Compare):
        terms = [test.left, *test.comparators]
        values = lowering.values(terms)
        for text, value in {ast.unparse(term): value for term, value in zip(terms, values, strict=True)}.items():
            if not isinstance(value, Static):
                shown += [", " if shown else "", f"{text} is ", _Piece(partial(_same, value), where)]
        known = [partial(_same, value) for value in values]
        condition = lowering.truth(lowering.comparisons(test.ops, known, where), where)
    else:
        condition = lowering.condition(test)
    if node.msg is not None:
        message = _pieces(lowering, node.msg)
        shown = [*message, " (", *shown, ")"] if shown else message
    format, fields = _format(lowering, shown)
    lowering.emit_effect(ir.Assert(condition, format, fields, location=where))


def _same(value: Value) -> Value:
    return value


def lower_breakpoint(lowering: ExpressionLowering, call: ast.Call) -> None:
    """``breakpoint()``."""
    if call.args or call.keywords:
        raise KernelTypeError("breakpoint takes no arguments in a kernel", *lowering.at(call))
    lowering.emit_effect(ir.Breakpoint(location=lowering.at(call)))


# ------------------------------------------------------------------------------------------------------- formats


@dataclass(frozen=True)
class _Piece:
    """An expression to be shown."""

    evaluate: Callable[[], Value]
    location: ir.Location
    spec: str = ""
    as_text: bool = False


def _pieces(lowering: ExpressionLowering, node: ast.expr) -> list[str | _Piece]:
    """The texts and expressions of an argument."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if not isinstance(node, ast.JoinedStr):
        return [_Piece(partial(lowering.value, node), lowering.at(node))]
    result: list[str | _Piece] = []
    for part in node.values:
        if not isinstance(part, ast.FormattedValue):
            result += _pieces(lowering, part)
            continue
        spec = "" if part.format_spec is None else _constant_text(lowering, part.format_spec, "a format", "")
        value = partial(lowering.value, part.value)
        result.append(_Piece(value, lowering.at(part.value), spec, part.conversion != -1))
    return result


def _constant_text(lowering: ExpressionLowering, node: ast.expr, what: str, default: str) -> str:
    """A text that is known while compiling; ``default`` where it is None."""
    parts = [_literal(lowering, part) for part in (node.values if isinstance(node, ast.JoinedStr) else [node])]
    if parts == [None]:
        return default
    if not all(isinstance(part, str) for part in parts):
        raise KernelTypeError(f"{what} of print is a text that is known while compiling", *lowering.at(node))
    return "".join(parts)


def _literal(lowering: ExpressionLowering, node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.FormattedValue):
        value = lowering.value(node.value)
        return str(value.value) if isinstance(value, Static) and node.format_spec is None else value
    value = lowering.value(node)
    return value.value if isinstance(value, Static) else value


def _format(lowering: ExpressionLowering, pieces: Sequence[str | _Piece]) -> tuple[Format, tuple[ir.Expr, ...]]:
    """Texts and expressions as a format and the values of its fields; adjacent texts become one."""
    found = lowering.in_order([piece.evaluate for piece in pieces if isinstance(piece, _Piece)])
    rest = iter(found)
    format: list[str | Field] = []
    values: list[ir.Expr] = []
    for piece in pieces:
        for part in [piece] if isinstance(piece, str) else _parts(next(rest), piece, piece.location):
            if isinstance(part, ir.Expr):
                assert isinstance(piece, _Piece)
                field = Field(part.type, piece.spec, piece.as_text)
                try:
                    field.check()
                except (ValueError, OverflowError) as error:
                    raise KernelTypeError(
                        f"{piece.spec!r} does not format a value of type {part.type}: {error}", *part.location
                    ) from None
                format.append(field)
                values.append(part)
            elif format and isinstance(format[-1], str):
                format[-1] += part
            else:
                format.append(part)
    return tuple(part for part in format if part != ""), tuple(values)


def _parts(value: Value | Any, piece: _Piece, where: ir.Location) -> Iterator[str | ir.Expr]:
    """What is shown of a value: composite ones as Python shows tuples and dataclasses."""
    if isinstance(value, ir.Expr):
        yield value
    elif isinstance(value, Compound):
        is_struct = isinstance(value.type, StructType)
        yield f"{value.type}(" if is_struct else "("
        rows = value.parts
        if isinstance(value.type, MatrixType):
            rows = tuple(_row(value, i) for i in range(value.type.rows))
        for i, part in enumerate(rows):
            yield ", " if i else ""
            yield f"{value.type.parts[i][0]}=" if is_struct else ""
            yield from _parts(part, piece, where)
        yield ")"
    elif isinstance(value, Static) and (found := entries(value)) is not None:
        is_tuple = isinstance(value.value, tuple)
        yield "(" if is_tuple else "["
        for i, entry in enumerate(found):
            yield ", " if i else ""
            yield from _parts(entry, piece, where)
        yield "]" if not is_tuple else ",)" if len(found) == 1 else ")"
    else:
        yield _static_text(value, piece, where)


def _row(value: Compound, row: int) -> Any:
    assert isinstance(value.type, MatrixType)
    columns = value.type.columns
    return Static(value.parts[row * columns : (row + 1) * columns], value.location)


def _static_text(value: Static, piece: _Piece, where: ir.Location) -> str:
    known = value.value
    if isinstance(known, np.generic):
        known = known.item()
    if not (is_number(known) or known is None or isinstance(known, str | ScalarType)):
        raise KernelTypeError(f"{describe(value)} cannot be printed as a number; print its elements one by one", *where)
    if isinstance(known, ScalarType) or piece.as_text:
        known = str(known)
    try:
        return format(known, piece.spec)
    except (ValueError, TypeError) as error:
        raise KernelTypeError(f"{piece.spec!r} does not format {known!r}: {error}", *where) from None
