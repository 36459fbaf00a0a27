"""Names for GLSL made from names of Python."""

from __future__ import annotations

import re

# Keywords, words reserved for later, and the types of the extensions that kernels use (GLSL 4.60, section 3.6).
_KEYWORDS = """
const uniform buffer shared attribute varying coherent volatile restrict readonly writeonly atomic_uint layout
centroid flat smooth noperspective patch sample invariant precise break continue do for while switch case default
if else subroutine in out inout int void bool true false float double discard return struct lowp mediump highp
precision uint vec2 vec3 vec4 ivec2 ivec3 ivec4 bvec2 bvec3 bvec4 uvec2 uvec3 uvec4 dvec2 dvec3 dvec4 mat2 mat3
mat4 common partition active asm class union enum typedef template this resource goto inline noinline public static
extern external interface long short half fixed unsigned superp input output hvec2 hvec3 hvec4 fvec2 fvec3 fvec4
filter sizeof cast namespace using sampler texture image subpass texture1D texture2D texture3D sampler1D sampler2D
sampler3D image1D image2D image3D textureBuffer samplerBuffer imageBuffer subpassInput accelerationStructureEXT
rayQueryEXT nonuniformEXT demote terminateInvocation spirv_instruction spirv_execution_mode spirv_type
int8_t uint8_t int16_t uint16_t int32_t uint32_t int64_t uint64_t float16_t float32_t float64_t
"""

# Functions of GLSL: a variable of that name would hide the function from generated code.
_FUNCTIONS = """
radians degrees sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh pow exp log exp2 log2 sqrt inversesqrt
abs sign floor trunc round roundEven ceil fract mod modf min max clamp mix step smoothstep isnan isinf
floatBitsToInt floatBitsToUint intBitsToFloat uintBitsToFloat fma frexp ldexp packUnorm2x16 packSnorm2x16
packUnorm4x8 packSnorm4x8 unpackUnorm2x16 unpackSnorm2x16 unpackUnorm4x8 unpackSnorm4x8 packHalf2x16 unpackHalf2x16
packDouble2x32 unpackDouble2x32 length distance dot cross normalize faceforward reflect refract matrixCompMult
outerProduct transpose determinant inverse lessThan lessThanEqual greaterThan greaterThanEqual equal notEqual any
all not uaddCarry usubBorrow umulExtended imulExtended bitfieldExtract bitfieldInsert bitfieldReverse bitCount
findLSB findMSB atomicAdd atomicMin atomicMax atomicAnd atomicOr atomicXor atomicExchange atomicCompSwap barrier
atomicLoad atomicStore
memoryBarrier memoryBarrierBuffer memoryBarrierShared memoryBarrierImage groupMemoryBarrier allInvocations
anyInvocation allInvocationsEqual noise1 noise2 noise3 noise4 main defined
"""

_RESERVED = frozenset((_KEYWORDS + _FUNCTIONS).split())
_RESERVED_PREFIXES = (
    "gl_",
    "GL_",
    "subgroup",
    "own_subgroup",
    "OWN_SUBGROUP",
    "sampler",
    "texture",
    "image",
    "isampler",
    "usampler",
    "mat",
    "dmat",
)


class Names:
    """The names in a scope of GLSL. A name given in an enclosing scope is not given again."""

    def __init__(self, enclosing: Names | None = None) -> None:
        self._enclosing = enclosing
        self._taken: set[str] = set()

    def _is_taken(self, name: str) -> bool:
        return name in self._taken or (self._enclosing is not None and self._enclosing._is_taken(name))

    def reserve(self, *names: str) -> None:
        """Takes names as they are, for generated code."""
        self._taken.update(names)

    def unique(self, name: str) -> str:
        """A name that is valid in GLSL and not yet taken, as close to ``name`` as can be."""
        name = _valid(name)
        if self._is_taken(name):
            number = 2
            while self._is_taken(f"{name}_{number}"):
                number += 1
            name = f"{name}_{number}"
        self._taken.add(name)
        return name


def _valid(name: str) -> str:
    ascii_name = "".join(c if c.isascii() else f"u{ord(c):x}" for c in name)
    # Two underscores in a row are reserved, as are names that start with gl_.
    result = re.sub(r"_{2,}", "_", ascii_name)
    if result in _RESERVED:
        return f"{result}_"
    if result.startswith(_RESERVED_PREFIXES):
        return f"k_{result}"
    return result
