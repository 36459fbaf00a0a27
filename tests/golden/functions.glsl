#version 460
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_cpp_style_line_directive : require
spirv_execution_mode(capabilities = [4466], 4461, 32);

// functions
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(push_constant, std430) uniform Launch {
    float t;
    uint items;
    uint x_offset;
    uint y_offset;
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { float x[]; };
layout(std430, binding = 1) writeonly buffer Buffer1 { float y[]; };
uint item;

#line 1 "bits_float.glsl"
// What the bits of an f32 say: compilers may assume that isnan() and isinf() are never true.
bool is_nan(float x) {
    return (floatBitsToUint(x) & 0x7FFFFFFFu) > 0x7F800000u;
}

#line 18 "bits_float.glsl"
float infinity(float like) {
    return uintBitsToFloat(0x7F800000u);
}

#line 26 "bits_float.glsl"
// x * 2^n in two steps, so that the result may overflow or be denormal.
float scale_exp2(float x, int n) {
    int first = n >> 1;
    return x * intBitsToFloat(first + 127 << 23) * intBitsToFloat(n - first + 127 << 23);
}

#line 1 "round_float.glsl"
// Devices' own is right here; round_double.glsl has the one of f64.
float own_floor(float x) {
    return floor(x);
}

#line 3 "exp.glsl"
// exp and exp2 to about 1 ulp. The range is reduced to powers of 2 (Cody and Waite, Software Manual for the Elementary
// Functions, 1980). The polynomials were made for this file: those of f32 are minimax fits by Lawson's algorithm, those
// of f64 are interpolated at Chebyshev nodes in 60 digits.

#line 45 "exp.glsl"
float own_exp(float x) {
    float result;
    if (is_nan(x)) {
        result = x;
    } else if (x > 88.72284) {
        result = infinity(x);
    } else if (x < -104.0) {
        result = 0.0;
    } else {
        float n = own_floor(x * 1.44269504 + 0.5);
        // ln 2 in two parts; n times the first is exact.
        float r = x - n * 0.693359375 - n * -2.12194440e-4;
        float p = (((1.3950486900284886e-3 * r + 8.368889801204205e-3) * r + 4.166620597243309e-2) * r + 1.66665181517601e-1) * r + 0.5;
        result = scale_exp2(1.0 + (r + r * r * p), int(n));
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

int floor_mod(int a, int b) {
    return b == int(0) ? int(0) : a - floor_div(a, b) * b;
}

#line 96 "kernels.py"
float lerp_f32_f32_f32(float a, float b, float t) {
    return a + t * (b - a);
}

#line 101 "kernels.py"
float smooth_f32_f32(float x_2, float t) {
    if (t <= 0.0) {
        return x_2;
    }
#line 104 "kernels.py"
    return lerp_f32_f32_f32(x_2, own_exp(-x_2), t) + lerp_f32_f32_f32(0.0, 1.0, x_2);
}

#line 108 "kernels.py"
void kernel_body() {
    uint at_x = launch.x_offset + item;
    uint at_y = launch.y_offset + item;
#line 109 "kernels.py"
    y[at_y] = floor_mod(int(item), 2) == 0 ? smooth_f32_f32(x[at_x], launch.t) : smooth_f32_f32(-x[at_x], 1.0);
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
