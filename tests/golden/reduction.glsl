#version 460
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_cpp_style_line_directive : require
spirv_execution_mode(capabilities = [4466], 4461, 32);

// reduction
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
uvec3 group_size = gl_WorkGroupSize;
layout(push_constant, std430) uniform Launch {
    uint x_offset;
    uint x_shape[1];
    uint partial_offset;
    uint partial_shape[1];
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { float x[]; };
layout(std430, binding = 1) writeonly buffer Buffer1 { float partial[]; };
shared float sums[256];

#line 1 "range_count.glsl"
// How many numbers range(start, stop, step) has; none for a step of 0.
uint range_count(int start, int stop, int step) {
    uint count = uint(0);
    if (step > int(0) && start < stop) count = (uint(stop) - uint(start) - uint(1)) / uint(step) + uint(1);
    if (step < int(0) && start > stop) count = (uint(start) - uint(stop) - uint(1)) / (uint(0) - uint(step)) + uint(1);
    return count;
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

#line 1 "accessors"
float load_x(uint i) {
    float value = 0.0;
    if (i < launch.x_shape[0]) {
        uint at = launch.x_offset + i;
        value = x[at];
    }
    return value;
}

void store_sums(uint i, float value) {
    if (i < 256u) {
        sums[i] = value;
    }
}

float load_sums(uint i) {
    float value = 0.0;
    if (i < 256u) {
        value = sums[i];
    }
    return value;
}

float load_sums_inside(uint i) {
    float value = 0.0;
    value = sums[i];
    return value;
}

void store_partial(uint i, float value) {
    if (i < launch.partial_shape[0]) {
        uint at = launch.partial_offset + i;
        partial[at] = value;
    }
}

#line 62 "kernels.py"
void main() {
    for (uint slot = gl_LocalInvocationIndex; slot < 256u; slot += gl_WorkGroupSize.x * gl_WorkGroupSize.y * gl_WorkGroupSize.z) sums[slot] = 0.0;
    barrier();
#line 64 "kernels.py"
    int i = int(gl_LocalInvocationID.x);
    float total = 0.0;
    const int n_step = int(group_size.x) * int(gl_NumWorkGroups.x);
    const uint n_count = range_count(int(gl_GlobalInvocationID.x), int(launch.x_shape[0]), n_step);
    for (uint n_number = 0u; n_number < n_count; n_number += 1u) {
        int n = int(gl_GlobalInvocationID.x) + int(n_number) * n_step;
#line 67 "kernels.py"
        total = total + load_x(uint(n));
    }
#line 68 "kernels.py"
    store_sums(uint(i), total);
    barrier();
    int half_ = floor_div(int(group_size.x), 2);
    while (half_ > 0) {
        if (i < half_) {
            store_sums(uint(i), load_sums(uint(i)) + load_sums(uint(i + half_)));
        }
#line 74 "kernels.py"
        barrier();
        half_ = half_ >> 1;
    }
#line 76 "kernels.py"
    if (i == 0) {
        store_partial(gl_WorkGroupID.x, load_sums_inside(0u));
    }
}
