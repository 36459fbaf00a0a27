#version 460
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_cpp_style_line_directive : require
spirv_execution_mode(capabilities = [4466], 4461, 32);

// scale_items_bf16
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(push_constant, std430) uniform Launch {
    float alpha;
    uint items;
    uint x_offset;
    uint y_offset;
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { uint16_t x[]; };
layout(std430, binding = 1) writeonly buffer Buffer1 { uint16_t y[]; };
uint item;

#line 1 "bf16.glsl"
// bf16 as the low 16 bits of a uint, to and from f32: exact, and to the nearest with ties to even.
float bf16_to_f32(uint bits) {
    return uintBitsToFloat(bits << 16);
}

uint f32_to_bf16(float x) {
    uint bits = floatBitsToUint(x);
    bool nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;  // which stays NaN
    return nan ? bits >> 16 | 0x40u : bits + 0x7FFFu + (bits >> 16 & 1u) >> 16;
}

float round_bf16(float x) {
    return bf16_to_f32(f32_to_bf16(x));
}

#line 30 "kernels.py"
void kernel_body() {
    uint at_x = launch.x_offset + item;
    uint at_y = launch.y_offset + item;
#line 31 "kernels.py"
    y[at_y] = uint16_t(f32_to_bf16(round_bf16(launch.alpha * bf16_to_f32(uint(x[at_x]))) + round_bf16(0.5)));
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
