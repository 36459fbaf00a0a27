"""Atomics in GLSL: what the functions do that change an element of a buffer or a group array.

GLSL has atomics of 32-bit integers; devices may have those of 64-bit integers, and the addition of floats. The rest is
made of compare-and-exchange on the word that holds the element: a loop that tries again when another thread was
quicker. For that, a buffer or array of floats or of narrow elements holds words instead ("is worded"), which every
access of it turns into values.
"""

from __future__ import annotations

from collections.abc import Iterator

from krnlpy.dsl import ir
from krnlpy.features import Feature
from krnlpy.scalar import ScalarType, boolean, f64, i64, u64

from .context import Context

_FUNCTIONS = {
    "add": "atomicAdd",
    "sub": "atomicAdd",
    "min": "atomicMin",
    "max": "atomicMax",
    "and": "atomicAnd",
    "or": "atomicOr",
    "xor": "atomicXor",
    "exchange": "atomicExchange",
    "compare_exchange": "atomicCompSwap",
}
_CHANGED = {
    "add": "old + value",
    "sub": "old - value",
    "min": "value < old ? value : old",
    "max": "value > old ? value : old",
    "and": "old & value",
    "or": "old | value",
    "xor": "old ^ value",
    "exchange": "value",
    "compare_exchange": "old == expected ? value : old",
}
_CHANGED_TRUTH = {**_CHANGED, "and": "old && value", "or": "old || value", "xor": "old != value"}
_ADDITIONS = frozenset(("add", "sub"))


def places_of_atomic_words(program: ir.Program, float_atomics: frozenset[Feature]) -> frozenset[ir.Place]:
    """The buffers and group arrays whose atomics work on words that are not what elements are computed with."""
    operations: dict[ir.Place, set[str]] = {}
    for block in (program.body, *(function.body for function in program.functions)):
        for node in ir.walk(block):
            if isinstance(node, ir.Atomic):
                operations.setdefault(node.place, set()).add(node.op)
    return frozenset(place for place, found in operations.items() if _is_worded(place, found, float_atomics))


def _is_worded(place: ir.Place, operations: set[str], float_atomics: frozenset[Feature]) -> bool:
    if place.type.is_integer:
        # In group arrays each narrow integer has 32 bits of its own.
        return place.type.size < 4 and not isinstance(place, ir.GroupArray)
    return not (operations <= _ADDITIONS and _addition_feature(place) in float_atomics)


def _addition_feature(place: ir.Place) -> Feature | None:
    group = isinstance(place, ir.GroupArray)
    features = {
        32: (Feature.FLOAT32_ATOMIC_ADD, Feature.GROUP_FLOAT32_ATOMIC_ADD),
        64: (Feature.FLOAT64_ATOMIC_ADD, Feature.GROUP_FLOAT64_ATOMIC_ADD),
    }
    return features[place.type.bits][group] if place.type.bits in features else None


def word_type(context: Context, type: ScalarType) -> str:
    """The type of the words of a worded place."""
    return context.type(u64) if type.size == 8 else "uint"


def word_to_value(type: ScalarType, word: str) -> str:
    """The value of an element of a worded place that has its words for itself."""
    if type is boolean:
        return f"({word} != 0u)"
    return f"{'uint64BitsToDouble' if type is f64 else 'uintBitsToFloat'}({word})"


def value_to_word(type: ScalarType, value: str) -> str:
    if type is boolean:
        return f"uint({value})"
    return f"{'doubleBitsToUint64' if type is f64 else 'floatBitsToUint'}({value})"


class AtomicFunction:
    """Writes how a function changes an element.

    Args:
        element: the variable that holds the element, or the word with it.
        shift: where the element is in its word, if words hold several.
        worded: whether the place is.
    """

    def __init__(
        self, context: Context, place: ir.Place, op: ir.AtomicOp, element: str, shift: str | None, worded: bool
    ) -> None:
        self._context, self._place, self._type, self._op = context, place, place.type, op
        self._element, self._shift, self._worded = element, shift, worded

    @property
    def operands(self) -> tuple[str, ...]:
        """The names of the function's parameters beside the index."""
        given: dict[ir.AtomicOp, tuple[str, ...]] = {"compare_exchange": ("expected", "value"), "load": ()}
        return given.get(self._op, ("value",))

    def lines(self, result: str) -> Iterator[str]:
        """The statements, the index having been checked; ``result`` is the variable that takes the old value."""
        self._require_features()
        if self._op == "load" or (self._op == "store" and self._shift is None):
            yield self._access(result)
            return
        narrow = self._type.is_integer and self._type.size < 4
        is_truth = self._type is boolean and self._shift is None  # in a word of its own, 0 or 1
        if not is_truth and (self._worded or (narrow and self._op in _ADDITIONS)):
            yield from self._loop(result)
            return
        operands = ["-value"] if self._op == "sub" else self.operands
        if is_truth:
            operands = [self._encoded(operand) for operand in operands]
        old = f"{_FUNCTIONS[self._op]}({', '.join([self._element, *operands])})"
        yield f"{result} = {self._decoded(old) if is_truth else old};"

    def _require_features(self) -> None:
        context, type = self._context, self._type
        group = isinstance(self._place, ir.GroupArray)
        if type in (u64, i64) or (type is f64 and self._worded):
            context.features.add(Feature.GROUP_INT64_ATOMICS if group else Feature.INT64_ATOMICS)
            context.extensions.add("GL_EXT_shader_atomic_int64")
        elif type.is_float and not self._worded:
            feature = _addition_feature(self._place)
            assert feature is not None
            context.features.add(feature)
            context.extensions.add("GL_EXT_shader_atomic_float")

    def _access(self, result: str) -> str:
        """Reads or writes the whole word of an element."""
        self._context.extensions.add("GL_KHR_memory_scope_semantics")
        scope = "gl_ScopeWorkgroup" if isinstance(self._place, ir.GroupArray) else "gl_ScopeDevice"
        how = f"{scope}, gl_StorageSemanticsNone, gl_SemanticsRelaxed"
        if self._op == "store":
            return f"atomicStore({self._element}, {self._encoded('value') if self._worded else 'value'}, {how});"
        word = f"atomicLoad({self._element}, {how})"
        if self._shift is not None:
            word = self._extracted(word)
        return f"{result} = {self._decoded(word) if self._worded else word};"

    def _loop(self, result: str) -> Iterator[str]:
        context, type = self._context, self._type
        word = word_type(context, type) if self._worded else context.type(type.compute)
        bits = "seen" if self._shift is None else self._extracted("seen")
        context.retries = True
        yield f"{word} word = {self._element}, seen;"
        yield "do {"
        yield "    seen = word;"
        if type.is_float and self._op == "compare_exchange":  # NaN has bits, and 0.0 other ones than -0.0
            changed = f"{bits} == {self._encoded('expected')} ? {self._encoded('value')} : {bits}"
        elif self._op in ("exchange", "store"):
            changed = self._encoded("value")
        else:
            yield f"    {context.type(type.compute)} old = {self._decoded(bits)};"
            changed = self._encoded((_CHANGED_TRUTH if type is boolean else _CHANGED)[self._op])
        if self._shift is not None:
            changed = f"bitfieldInsert(seen, {changed}, {self._shift}, {type.bits})"
        yield f"    word = atomicCompSwap({self._element}, seen, {changed});"
        yield f"}} while ({context.tries_again});"
        yield f"{result} = {self._decoded(bits)};"

    def _extracted(self, word: str) -> str:
        word = f"int({word})" if self._type.kind == "int" else word
        return f"bitfieldExtract({word}, {self._shift}, {self._type.bits})"

    def _decoded(self, bits: str) -> str:
        type = self._type
        if type.is_integer:
            return bits
        if self._shift is None or type is boolean:
            return word_to_value(type, bits)
        self._context.need(type.name)
        return f"{type.name}_to_f32({bits})"

    def _encoded(self, value: str) -> str:
        """The bits of a value of the type of computation, rounded or wrapped to the element's width."""
        type = self._type
        if type.is_integer and self._shift is not None:
            return f"uint({value})" if type.kind == "int" else value
        if type.is_integer:
            return f"bitfieldExtract({value}, 0, {type.bits})"
        if type.size >= 4 or type is boolean:
            return value_to_word(type, value)
        self._context.need(type.name)
        if self._shift is None:
            return value_to_word(type, f"round_{type.name}({value})")
        return f"f32_to_{type.name}({value})"
