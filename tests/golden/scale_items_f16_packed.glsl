#version 460
#extension GL_GOOGLE_cpp_style_line_directive : require

// scale_items_f16
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(std430, binding = 2) restrict readonly buffer Launch {
    float alpha;
    uint items;
    uint x_offset;
    uint y_offset;
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { uint x[]; };
layout(std430, binding = 1) buffer Buffer1 { uint y[]; };
uint item;

#line 1 "f16.glsl"
// f16 (IEEE binary16) as the low 16 bits of a uint, to and from f32: exact, and to the nearest with ties to even.
float f16_to_f32(uint half_bits) {
    uint sign_bit = (half_bits & 0x8000u) << 16;
    uint magnitude = half_bits & 0x7FFFu;
    uint bits = (magnitude << 13) + (112u << 23);
    if (magnitude >= 0x7C00u) bits = 0x7F800000u | (magnitude & 0x3FFu) << 13;  // infinity and NaN
    // Below the least normal number, halves are whole multiples of 2^-24.
    if (magnitude < 0x0400u) bits = floatBitsToUint(float(magnitude) * 5.9604644775390625e-8);
    return uintBitsToFloat(sign_bit | bits);
}

uint f32_to_f16(float x) {
    uint bits = floatBitsToUint(x);
    uint sign_bit = bits >> 16 & 0x8000u;
    uint magnitude = bits & 0x7FFFFFFFu;
    uint result = 0u;  // of half of the least denormal number, and less
    if (magnitude > 0x7F800000u) {
        result = 0x7E00u | (magnitude >> 13 & 0x3FFu);  // NaN stays NaN
    } else if (magnitude >= 0x47800000u) {
        result = 0x7C00u;  // 65536 and more
    } else if (magnitude >= 0x38800000u) {
        // Rounding may carry into the exponent, up to infinity.
        result = (magnitude - (112u << 23) + 0xFFFu + (magnitude >> 13 & 1u)) >> 13;
    } else if (magnitude > 0x33000000u) {
        uint significand = magnitude & 0x7FFFFFu | 0x800000u;
        uint shift = 126u - (magnitude >> 23);
        result = significand >> shift;
        uint rest = significand & (1u << shift) - 1u;
        uint middle = 1u << shift - 1u;
        if (rest > middle || (rest == middle && (result & 1u) == 1u)) result += 1u;
    }
    return sign_bit | result;
}

float round_f16(float x) {
    return f16_to_f32(f32_to_f16(x));
}

#line 1 "accessors"
void insert_y(uint at, uint bits) {
    uint word = y[at >> 1], seen;
    do {
        seen = word;
        uint changed = bitfieldInsert(seen, bits, int(at & 1u) * 16, 16);
        word = atomicCompSwap(y[at >> 1], seen, changed);
    } while (word != seen);
}

#line 30 "kernels.py"
void kernel_body() {
    uint at_x = launch.x_offset + item;
    uint at_y = launch.y_offset + item;
#line 31 "kernels.py"
    insert_y(at_y, f32_to_f16(round_f16(launch.alpha * f16_to_f32(bitfieldExtract(x[at_x >> 1], int(at_x & 1u) * 16, 16))) + round_f16(0.5)));
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
