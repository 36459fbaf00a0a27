#version 460
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_cpp_style_line_directive : require
spirv_execution_mode(capabilities = [4466], 4461, 32);

// casts
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(push_constant, std430) uniform Launch {
    uint items;
    uint x_offset;
    uint n_offset;
    uint wide_offset;
    uint small_offset;
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { float x[]; };
layout(std430, binding = 1) buffer Buffer1 { int n[]; };
layout(std430, binding = 2) buffer Buffer2 { int64_t wide[]; };
layout(std430, binding = 3) writeonly buffer Buffer3 { uint8_t small[]; };
uint item;

#line 1 "i32_to_i64.glsl"
// Put together from its words: Mesa 22.3 gets int64_t(x) < C wrong, for constants C.
int64_t i32_to_i64(int x) {
    return packInt2x32(ivec2(x, x >> 31));
}

#line 1 "bits_float.glsl"
// What the bits of an f32 say: compilers may assume that isnan() and isinf() are never true.
bool is_nan(float x) {
    return (floatBitsToUint(x) & 0x7FFFFFFFu) > 0x7F800000u;
}

#line 2 "to_integer64.glsl"
// Truncates, saturates at the ends of the type, turns NaN into 0; GLSL's conversions are undefined there.
int64_t to_int64(float x) {
    int64_t result;
    if (is_nan(x)) {
        result = 0l;
    } else if (x >= float(9223372036854775808.0)) {
        result = 0x7FFFFFFFFFFFFFFFl;
    } else if (x <= float(-9223372036854775808.0)) {
        result = int64_t(0x8000000000000000ul);
    } else {
        result = int64_t(x);
    }
    return result;
}

#line 1 "floor_signed.glsl"
// Division and remainder as Python's: rounded towards minus infinity; 0 where the divisor is 0.
// GLSL's % is undefined for negative operands, so it is not used.
int floor_div(int a, int b) {
    int quotient = b == int(-1) ? -a : int(0);  // the least integer wraps, where / would overflow
    if (b != int(0) && b != int(-1)) {
        quotient = a / b;
        if (quotient * b != a && (a < int(0)) != (b < int(0))) quotient -= int(1);
    }
    return quotient;
}

#line 2 "to_integer.glsl"
// Truncates, saturates at the ends of the type, turns NaN into 0; GLSL's conversions are undefined there.
int to_int(float x) {
    int result;
    if (is_nan(x)) {
        result = 0;
    } else if (x >= float(2147483648.0)) {
        result = 0x7FFFFFFF;
    } else if (x <= float(-2147483648.0)) {
        result = int(0x80000000u);
    } else {
        result = int(x);
    }
    return result;
}

#line 149 "kernels.py"
void kernel_body() {
    uint at_x = launch.x_offset + item;
    uint at_n = launch.n_offset + item;
    uint at_wide = launch.wide_offset + item;
    uint at_small = launch.small_offset + item;
#line 150 "kernels.py"
    wide[at_wide] = wide[at_wide] + i32_to_i64(n[at_n]) * to_int64(x[at_x]);
    n[at_n] = floor_div(to_int(x[at_x]), 3) - (n[at_n] << 2 & 255);
    small[at_small] = uint8_t(uint(n[at_n]) & 0xFFu);
}

#line 1 "items"
void main() {
    uint threads = gl_WorkGroupSize.x * gl_WorkGroupSize.y * gl_WorkGroupSize.z;
    uint groups = gl_NumWorkGroups.x * gl_NumWorkGroups.y * gl_NumWorkGroups.z;
    uint row = gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y;
    uint group = row * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint stride = groups * threads;
    uint line = gl_LocalInvocationID.z * gl_WorkGroupSize.y + gl_LocalInvocationID.y;
    item = group * threads + line * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    while (item < launch.items) {
        kernel_body();
        if (launch.items - item <= stride) break;  // item + stride could wrap
        item += stride;
    }
}
