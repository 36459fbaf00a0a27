"""Operations of subgroups in GLSL: the device's own, or a loop that reads the values of the lanes one by one, through
shuffles where the device has them, otherwise through group memory.

In group memory each thread has a slot: by number of its subgroup and lane, since which threads of the group make a
subgroup is the device's choice. Active threads put their values there and mark their slots with the place in the
program, since a device may run threads that took different ways by turns.
A device only has to let the active threads of a subgroup wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from krnlpy.dsl import ir
from krnlpy.dsl.semantics.collectives import neutral
from krnlpy.features import Feature, Features
from krnlpy.scalar import ScalarType, boolean, f32, f64, i32, i64, u32, u64

if TYPE_CHECKING:
    from .context import Context

_GROUP_THREADS = "gl_WorkGroupSize.x * gl_WorkGroupSize.y * gl_WorkGroupSize.z"
_WORDS = {  # how a value is put into words of 32 bits, and got back
    u32: ("{0}", "{0}"),
    i32: ("uint({0})", "int({0})"),
    f32: ("floatBitsToUint({0})", "uintBitsToFloat({0})"),
    u64: ("unpackUint2x32({0})", "packUint2x32({0})"),
    i64: ("unpackUint2x32(uint64_t({0}))", "int64_t(packUint2x32({0}))"),
    f64: ("unpackDouble2x32({0})", "packDouble2x32({0})"),
}
_COMBINE = {
    "add": "result + other", "mul": "result * other", "and": "result & other", "or": "result | other",
    "xor": "result ^ other", "min": "other < result ? other : result", "max": "other > result ? other : result",
}  # fmt: skip
_SOURCES = {  # the lane that is read; beyond all lanes where there is none
    "shuffle": "place",
    "broadcast": "place",
    "shuffle_xor": "self ^ place",
    "shuffle_up": "place <= self ? self - place : 0xFFFFFFFFu",
    "shuffle_down": "place < gl_SubgroupSize ? self + place : 0xFFFFFFFFu",
    "quad_broadcast": "(self & ~3u) + place",
    "quad_swap_horizontal": "self ^ 1u",
    "quad_swap_vertical": "self ^ 2u",
    "quad_swap_diagonal": "self ^ 3u",
}
_CONSTANT_PLACE = ("broadcast", "quad_broadcast")
_INSIDE = {  # a lane, or a distance to one, that exists: drivers crash on others
    "shuffle": "min({}, gl_SubgroupSize - 1u)",
    "shuffle_xor": "min({}, gl_SubgroupSize - 1u)",
    "shuffle_up": "min({}, gl_SubgroupInvocationID)",
    "shuffle_down": "min({}, gl_SubgroupSize - 1u - gl_SubgroupInvocationID)",
}
_IS_ACTIVE = "lane < gl_SubgroupSize && (here[lane >> 5 & 3u] >> (lane & 31u) & 1u) != 0u"
"""Whether a lane exists and is among the active ones, ``here``. Drivers read for lanes that && rules out too."""


def needs(op: ir.CollectiveOp, cluster: int, checked: bool) -> Features:
    """The features of a device that does an operation itself."""
    checks = {Feature.SUBGROUP_BALLOT} if checked else set()
    if op in ("barrier", "elect"):
        found = {Feature.SUBGROUP_BASIC}
    elif op in ("all", "any", "all_equal"):
        found = {Feature.SUBGROUP_VOTE}
    elif op in ("ballot", "broadcast_first") or op == "broadcast":
        found = {Feature.SUBGROUP_BALLOT}
    elif op in ("shuffle", "shuffle_xor"):
        found = {Feature.SUBGROUP_SHUFFLE} | checks
    elif op in ("shuffle_up", "shuffle_down"):
        found = {Feature.SUBGROUP_SHUFFLE_RELATIVE} | checks
    elif op.startswith("quad"):
        found = {Feature.SUBGROUP_QUAD} | checks
    else:
        found = {Feature.SUBGROUP_CLUSTERED if cluster else Feature.SUBGROUP_ARITHMETIC}
    return frozenset(found | {Feature.SUBGROUP_BASIC})


class Subgroups:
    """The functions for operations of subgroups that a shader calls.

    Attributes:
        words: of group memory for each thread that they take.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._functions: dict[str, str] = {}
        self._value_words = 0
        self._sites = 0
        self._meets = False

    @property
    def words(self) -> int:
        return self._value_words + 1 if self._value_words else 0

    # ------------------------------------------------------------------------------------------------ operations

    def call(self, s: ir.Collective, operands: Sequence[str]) -> str:
        """An operation as an expression (a uvec4 for a ballot), of operands that are expressions."""
        context, options = self._context, self._context.options
        type = s.operands[0].type if s.operands else u32
        cluster = s.cluster if s.cluster < options.subgroup_threads else 0
        context.features.add(Feature.SUBGROUP_BASIC)
        context.extensions.add("GL_KHR_shader_subgroup_basic")
        if s.cluster == 1:
            return operands[0]
        wanted = needs(s.op, cluster, not context.program.unchecked)
        if s.op == "all_equal" and type.is_float:
            wanted |= {Feature.SUBGROUP_BALLOT}
        if type in (u64, i64) and len(s.targets) == 1:
            wanted |= {Feature.SUBGROUP_EXTENDED_TYPES}
        if s.op == "barrier" and options.broken_subgroup_barriers:
            self._meets = True
            return "own_subgroup_meet()"
        if wanted <= options.subgroups:
            self._use(wanted)
            return self._native(s, type, cluster, operands)
        moves = {Feature.SUBGROUP_SHUFFLE, Feature.SUBGROUP_BALLOT} | (wanted & {Feature.SUBGROUP_EXTENDED_TYPES})
        by_shuffles = moves <= options.subgroups
        if by_shuffles:
            self._use(frozenset(moves))
        return self._lane_by_lane(s, type, cluster, operands, by_shuffles)

    def _use(self, features: Features) -> None:
        self._context.features |= features
        for feature in features:
            name = feature.removeprefix("subgroup_")
            if feature is Feature.SUBGROUP_EXTENDED_TYPES:
                name = "extended_types_int64"
            vendor = "EXT" if feature is Feature.SUBGROUP_EXTENDED_TYPES else "KHR"
            self._context.extensions.add(f"GL_{vendor}_shader_subgroup_{name}")

    def _native(self, s: ir.Collective, type: ScalarType, cluster: int, operands: Sequence[str]) -> str:
        op = s.op
        name = "subgroup" + "".join(part.capitalize() for part in op.split("_"))
        if op in ("barrier", "elect"):
            return f"{name}()"
        if op in ("all", "any", "ballot"):
            return f"{name}({operands[0]})"
        if op in _SOURCES or op in ("all_equal", "broadcast_first"):
            # Not all drivers can shuffle truth values.
            value = f"uint({operands[0]})" if type is boolean else operands[0]
            kind = u32 if type is boolean else type
            if op == "all_equal" and type.is_float:  # drivers differ over NaNs
                return self._all_equal_floats(type, value)
            moved = f"{name}({value})" if op not in _SOURCES else self._move(s, name, kind, value, operands[1:])
            return f"{moved} != 0u" if type is boolean and op != "all_equal" else moved
        if cluster:
            return f"subgroupClustered{op.capitalize()}({operands[0]}, {cluster}u)"
        result = f"{name}({operands[0]})"
        if type.kind == "int" and type.size < 4 and op in ("exclusive_min", "exclusive_max"):
            return f"clamp({result}, {type.min}, {type.max})"  # the neutral element is that of 32 bits
        return result

    def _all_equal_floats(self, type: ScalarType, value: str) -> str:
        same = "return subgroupAll(value == subgroupBroadcastFirst(value));"
        self._add(f"bool own_subgroup_all_equal({self._context.type(type)} value)", [f"    {same}"])
        return f"own_subgroup_all_equal({value})"

    def _move(self, s: ir.Collective, name: str, type: ScalarType, value: str, place: Sequence[str]) -> str:
        """The value of another lane; 0 if that lane is not active.

        The device is only asked for lanes that exist; the lane that was meant is checked afterwards.
        """
        constant = s.operands[1] if s.op in _CONSTANT_PLACE else None
        if constant is not None:
            assert isinstance(constant, ir.Const)
            number = int(constant.value)
            inside = [f"{number if number < self._context.options.subgroup_threads else 0}u"]
        else:
            number = 0
            inside = [_INSIDE[s.op].format("place")] if place else []
        if self._context.program.unchecked:
            if constant is None:
                inside = [_INSIDE[s.op].format(text) for text in place]
            return f"{name}({', '.join([value, *inside])})"
        function = f"own_subgroup_{s.op}" + (f"_{number}" if constant is not None else "")
        glsl = self._context.type(type)
        parameters = [f"{glsl} value", *(["uint place"] if place and constant is None else [])]
        known = [f"    const uint place = {number}u;"] if constant is not None else []
        self._add(
            f"{glsl} {function}({', '.join(parameters)})",
            [
                *known,
                "    uint self = gl_SubgroupInvocationID;",
                f"    uint lane = {_SOURCES[s.op]};",
                "    uvec4 here = subgroupBallot(true);",
                f"    {glsl} found = {name}({', '.join(['value', *inside])});",
                f"    return {_IS_ACTIVE} ? found : {self._context.zero(type)};",
            ],
        )
        return f"{function}({', '.join([value, *(place if constant is None else [])])})"

    # ----------------------------------------------------------------------------------------------- lane by lane

    def _lane_by_lane(
        self, s: ir.Collective, type: ScalarType, cluster: int, operands: Sequence[str], by_shuffles: bool
    ) -> str:
        op = s.op
        truth = type is boolean
        if truth:
            type = u32
        glsl = self._context.type(type)
        words = 2 if type.size == 8 else 1
        place = operands[1:]
        result = {"ballot": "uvec4", "all": "bool", "any": "bool", "all_equal": "bool"}.get(op, glsl)
        function = "_".join(["own_subgroup", op, *([str(cluster)] if cluster else []), type.name])
        parameters = [f"{glsl} value", *("uint place" for _ in place)]
        if by_shuffles:
            before, after = ["    uvec4 here = subgroupBallot(true);"], []
            other = "subgroupShuffle(value, min(lane, gl_SubgroupSize - 1u))"
            active = _IS_ACTIVE
        else:
            self._value_words = max(self._value_words, words)
            before = [
                "    uint first = gl_SubgroupID * gl_SubgroupSize;",
                *self._write(type),
                "    own_subgroup_meet();",
            ]
            after = [
                "    own_subgroup_meet();",
                "    own_subgroup_active[first + self] = 0u;",
                "    own_subgroup_meet();",
            ]
            other = self._read(type)
            self._sites += 1
            parameters.append("uint site")
            place = [*place, f"{self._sites}u"]
            active = "lane < gl_SubgroupSize && own_subgroup_active[first + min(lane, gl_SubgroupSize - 1u)] == site"
        self._add(
            f"{result} {function}({', '.join(parameters)})",
            [
                "    uint self = gl_SubgroupInvocationID;",
                *before,
                *self._result(op, type, cluster, other, active),
                *after,
                "    return result;",
            ],
        )
        call = f"{function}({', '.join([f'uint({operands[0]})' if truth else operands[0], *place])})"
        return f"{call} != 0u" if truth and result == glsl else call

    def _write(self, type: ScalarType) -> list[str]:
        store = "    own_subgroup_values[first + self] = "
        put = _WORDS[_wide(type)][0].format("value")
        if type.size == 8:
            lines = [
                f"    uvec2 words = {put};",
                f"{store}words.x;",
                "    own_subgroup_values[OWN_SUBGROUP_SLOTS + first + self] = words.y;",
            ]
        else:
            lines = [f"{store}{put};"]
        return [*lines, "    own_subgroup_active[first + self] = site;"]

    def _read(self, type: ScalarType) -> str:
        at = "first + min(lane, gl_SubgroupSize - 1u)"
        words = f"own_subgroup_values[{at}]"
        if type.size == 8:
            words = f"uvec2({words}, own_subgroup_values[OWN_SUBGROUP_SLOTS + {at}])"
        return _WORDS[_wide(type)][1].format(words)

    def _result(self, op: str, type: ScalarType, cluster: int, other: str, active: str) -> list[str]:
        """Finds the result: ``other`` is the value of ``lane``, which counts if ``active``."""
        glsl = self._context.type(type)
        if op in _SOURCES:
            return [
                f"    uint lane = {_SOURCES[op]};",
                f"    {glsl} other = {other};",
                f"    {glsl} result = {active} ? other : {self._context.zero(type)};",
            ]
        begin, count = (f"(self & ~{cluster - 1}u)", f"{cluster}u") if cluster else ("0u", "gl_SubgroupSize")
        start = [f"    {glsl} result = value;"]
        if op == "broadcast_first":
            start, step = [*start, "    bool seen = false;"], "if (!seen) result = other; seen = true;"
        elif op == "all_equal":
            start = ["    bool result = true, seen = false;", f"    {glsl} chosen = value;"]
            step = "if (!seen) chosen = other; seen = true; if (!(other == chosen)) result = false;"
        elif op == "ballot":
            start, step = ["    uvec4 result = uvec4(0u);"], "result[lane >> 5] |= other << (lane & 31u);"
        elif op in ("all", "any"):
            start = [f"    bool result = {'true' if op == 'all' else 'false'};"]
            step = f"result = result {'&&' if op == 'all' else '||'} other != 0u;"
        else:
            scan, _, base = op.rpartition("_")
            if scan:
                active = f"{'lane < self' if scan == 'exclusive' else 'lane <= self'} && {active}"
            start = [f"    {glsl} result = {self._context.literal(neutral(base, type), type)};"]
            step = f"result = {_COMBINE[base]};"
        return [
            *start,
            f"    for (uint place = 0u; place < {count}; ++place) {{",
            f"        uint lane = {begin} + place;",
            f"        {glsl} other = {other};",
            f"        if ({active}) {{ {step} }}",
            "    }",
        ]

    # ------------------------------------------------------------------------------------------------------- text

    def _add(self, signature: str, lines: list[str]) -> None:
        self._functions[signature] = "\n".join([f"{signature} {{", *lines, "}"]) + "\n"

    @property
    def text(self) -> str:
        """The functions, and the group memory that they need."""
        shared = []
        if self._value_words:
            size = self._context.options.subgroup_threads
            slots = f"(({_GROUP_THREADS} + {size - 1}u) / {size}u * {size}u)"
            slice_ = "" if self._value_words == 1 else f" * {self._value_words}u"
            shared = [
                f"#define OWN_SUBGROUP_SLOTS {slots}\n"
                f"shared uint own_subgroup_values[OWN_SUBGROUP_SLOTS{slice_}];\n"
                "shared uint own_subgroup_active[OWN_SUBGROUP_SLOTS];\n"
            ]
        if self._value_words or self._meets:
            shared.append(self._barrier_function())
        functions = "\n".join([*shared, *self._functions.values()])
        return f'#line 1 "subgroups"\n{functions}' if functions else ""

    def _barrier_function(self) -> str:
        """The function in which the threads of a subgroup wait for each other. Drivers that lose threads where other
        subgroups do not arrive treat a barrier of a subgroup as one of the group; their subgroups run in lockstep."""
        if self._context.options.broken_subgroup_barriers:
            return "void own_subgroup_meet() {\n    subgroupMemoryBarrier();\n}\n"
        return "void own_subgroup_meet() {\n    subgroupMemoryBarrierShared();\n    subgroupBarrier();\n}\n"

    def prologue(self) -> list[str]:
        """The first statements of a kernel: no slot is marked."""
        if not self._value_words:
            return []
        start = "for (uint slot = gl_LocalInvocationIndex; slot < OWN_SUBGROUP_SLOTS;"
        return [
            f"{start} slot += {_GROUP_THREADS}) own_subgroup_active[slot] = 0u;",
            "memoryBarrierShared();",
            "barrier();",
        ]


def _wide(type: ScalarType) -> ScalarType:
    """The type of 32 bits in which a narrow one is computed."""
    if type.size >= 4:
        return type
    return u32 if type.kind == "uint" else i32
