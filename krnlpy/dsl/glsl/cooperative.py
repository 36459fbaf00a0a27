"""Cooperative matrices of the device in GLSL, by GL_KHR_cooperative_matrix."""

from __future__ import annotations

from collections.abc import Callable, Collection

from krnlpy.dsl import ir
from krnlpy.dsl.ir.layout import Variant
from krnlpy.dsl.passes.cooperative_expansion import cooperative_matrices, products
from krnlpy.features import Feature
from krnlpy.scalar import ScalarType, f16

from .context import Context

Shape = tuple[int, int, int, ScalarType, ScalarType, ScalarType]

_TYPES = {
    "f16": "float16_t", "f32": "float", "f64": "double", "i8": "int8_t", "u8": "uint8_t", "i16": "int16_t",
    "u16": "uint16_t", "i32": "int", "u32": "uint",
}  # fmt: skip
_USES = {"a": "gl_MatrixUseA", "b": "gl_MatrixUseB", "accumulator": "gl_MatrixUseAccumulator"}
# Elements of narrow types lie in buffers as integers.
_EXTENSIONS = {
    "f16": ("float16", "int16"), "i8": ("int8",), "u8": ("int8",), "i16": ("int16",), "u16": ("int16",)
}  # fmt: skip
_SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


def is_native(program: ir.Program, variant: Variant, shapes: Collection[Shape]) -> bool:
    """Whether the device itself has all that a program does with cooperative matrices.

    Args:
        shapes: of the products it has: m, n, k and the types of a, b and c.
    """
    used: set[ir.CooperativeMatrix] = set()
    for p in products(program):
        if (p.a.rows, p.b.columns, p.a.columns, p.a.type, p.b.type, p.c.type) not in shapes:
            return False
        used |= {p.a, p.b, p.c, p.matrix}
    forms = {_form(matrix) for matrix in used}
    if any(_form(matrix) not in forms for matrix in cooperative_matrices(program)):
        return False
    changed = {n.place for n in ir.walk(program.body) if isinstance(n, ir.Atomic)}
    for node in ir.walk(program.body):
        if isinstance(node, ir.CooperativeLoad | ir.CooperativeStore):
            place = node.place
            if place in changed:
                return False  # it may hold words instead of its elements
            if isinstance(place, ir.GlobalParameter):
                if not variant.contiguous[program.buffers.index(place)]:
                    return False
            elif place.type is not f16 and (place.type.compute is not place.type or place.type.size < 4):
                return False  # group arrays hold narrow types as wider ones
    return True


def arrays_of_halves(program: ir.Program) -> frozenset[ir.Place]:
    """The group arrays of f16 that a device's own matrices lie in: they hold f16 itself. Others hold f32, which has the
    value of one: not every device has memory of 16-bit elements for groups."""
    return frozenset(
        node.place
        for node in ir.walk(program.body)
        if isinstance(node, ir.CooperativeLoad | ir.CooperativeStore)
        and isinstance(node.place, ir.GroupArray)
        and node.place.type is f16
    )


def _form(matrix: ir.CooperativeMatrix) -> tuple[ScalarType, int, int, str]:
    return matrix.type, matrix.rows, matrix.columns, matrix.use


class CooperativeStatements:
    """Writes the statements of cooperative matrices.

    Args:
        source: of an array: its name, where it starts (in elements), and its lengths, all as uints.
        text: writes an expression. ``index``: writes one as a uint.
        add: adds a line.
    """

    def __init__(
        self,
        context: Context,
        source: Callable[[ir.Place, bool], tuple[str, str, tuple[str, ...]]],
        text: Callable[[ir.Expr], str],
        index: Callable[[ir.Expr], str],
        add: Callable[[str], None],
    ) -> None:
        self._context, self._source, self._text, self._index, self._add = context, source, text, index, add
        self._names: dict[ir.CooperativeMatrix, str] = {}

    def declarations(self, program: ir.Program) -> list[str]:
        """The variables of all matrices: they live as long as the kernel."""
        matrices = cooperative_matrices(program)
        if matrices:
            self._context.features.add(Feature.COOPERATIVE_MATRIX)
            self._context.extensions |= {"GL_KHR_cooperative_matrix", "GL_KHR_memory_scope_semantics"}
        for matrix in matrices:
            self._names[matrix] = self._context.names.unique(matrix.name)
            for kind in _EXTENSIONS.get(matrix.type.name, ()):
                self._context.extensions.add(f"GL_EXT_shader_explicit_arithmetic_types_{kind}")
        return [f"{_type(matrix)} {name};" for matrix, name in self._names.items()]

    def write(self, s: ir.CooperativeStmt) -> None:
        """Adds the lines of a statement."""
        name = self._names[s.matrix]
        match s:
            case ir.CooperativeFill():
                self._add(f"{name} = {_type(s.matrix)}({self._number(s.value, s.matrix)});")
            case ir.CooperativeLoad():
                self._load(s, name)
            case ir.CooperativeStore():
                array, element, stride, layout, inside = self._place(s, True)
                store = f"coopMatStore({name}, {array}, {element}, {stride}, {layout});"
                self._add(f"if ({inside}) {store}" if self._is_checked(s) else store)
            case ir.CooperativeProduct():
                a, b, c = (self._names[m] for m in (s.a, s.b, s.c))
                self._add(f"{name} = coopMatMulAdd({a}, {b}, {c});")
            case ir.CooperativeMap():
                self._map(s, name)

    def _load(self, s: ir.CooperativeLoad, name: str) -> None:
        array, element, stride, layout, inside = self._place(s, False)
        load = f"coopMatLoad({name}, {array}, {element}, {stride}, {layout});"
        if not self._is_checked(s):
            self._add(load)
            return
        self._add(f"if ({inside}) {load}")
        self._add(f"else {name} = {_type(s.matrix)}({_TYPES[s.matrix.type.name]}(0));")

    def _is_checked(self, s: ir.CooperativeLoad | ir.CooperativeStore) -> bool:
        return s.checked and not self._context.program.unchecked

    def _place(self, s: ir.CooperativeLoad | ir.CooperativeStore, is_written: bool) -> tuple[str, str, str, str, str]:
        array, start, lengths = self._source(s.place, is_written)
        sides = (s.matrix.columns, s.matrix.rows) if s.transposed else (s.matrix.rows, s.matrix.columns)
        row, column = (f"({self._index(i)})" for i in s.index)
        checks = []
        for index, length, side in zip((row, column), lengths, sides, strict=True):
            # A negative index is a huge uint; the difference is not taken where it would wrap.
            checks.append(f"{length} >= {side}u && {index} <= {length} - {side}u")
        element = f"{start} + {row} * {lengths[1]} + {column}"
        layout = f"gl_CooperativeMatrixLayout{'ColumnMajor' if s.transposed else 'RowMajor'}"
        return array, element, lengths[1], layout, " && ".join(checks)

    def _map(self, s: ir.CooperativeMap, name: str) -> None:
        operands = [
            self._names[o] if isinstance(o, ir.CooperativeMatrix) else self._number(o, s.matrix) for o in s.operands
        ]
        if s.op == "copy":
            self._add(f"{name} = {operands[0]};")
        elif s.op == "neg":
            self._add(f"{name} = -{operands[0]};")
        elif s.op == "mul" and all(isinstance(o, ir.CooperativeMatrix) for o in s.operands):
            self._each(name, f"{operands[0]}[slot] * {operands[1]}[slot]")
        elif s.op == "div":
            divisor = f"{operands[1]}[slot]" if isinstance(s.operands[1], ir.CooperativeMatrix) else operands[1]
            self._each(name, f"{operands[0]}[slot] / {divisor}")
        else:
            if s.op == "mul" and isinstance(s.operands[1], ir.CooperativeMatrix):
                operands.reverse()  # a matrix comes first
            self._add(f"{name} = {operands[0]} {_SYMBOLS[s.op]} {operands[1]};")

    def _each(self, name: str, value: str) -> None:
        """Gives each element that the thread holds a value; a matrix has no such operator as a whole."""
        self._add(f"for (int slot = 0; slot < {name}.length(); ++slot) {name}[slot] = {value};")

    def _number(self, value: ir.Expr, matrix: ir.CooperativeMatrix) -> str:
        return f"{_TYPES[matrix.type.name]}({self._text(value)})"


def _type(matrix: ir.CooperativeMatrix) -> str:
    return (
        f"coopmat<{_TYPES[matrix.type.name]}, gl_ScopeSubgroup, {matrix.rows}, {matrix.columns}, {_USES[matrix.use]}>"
    )
