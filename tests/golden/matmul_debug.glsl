#version 460
#extension GL_GOOGLE_cpp_style_line_directive : require

// matmul_f32
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const int TILE_constant = 16;
int TILE = TILE_constant;
layout(push_constant, std430) uniform Launch {
    uint a_offset;
    uint a_shape[2];
    uint b_offset;
    uint b_shape[2];
    uint c_offset;
    uint c_shape[2];
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { float a[]; };
layout(std430, binding = 1) readonly buffer Buffer1 { float b[]; };
layout(std430, binding = 2) writeonly buffer Buffer2 { float c[]; };
shared float a_tile[TILE_constant * TILE_constant > 0 ? TILE_constant * TILE_constant : 1];
shared float b_tile[TILE_constant * TILE_constant > 0 ? TILE_constant * TILE_constant : 1];
layout(std430, binding = 3) restrict buffer Report {
    uint failed;
    uint global_x;
    uint global_y;
    uint global_z;
    uint used;
    uint lost;
    uint capacity;
    uint words[];
} report;
uvec3 reporting_thread() { return gl_GlobalInvocationID; }

#line 1 "range_count.glsl"
// How many numbers range(start, stop, step) has; none for a step of 0.
uint range_count(int start, int stop, int step) {
    uint count = uint(0);
    if (step > int(0) && start < stop) count = (uint(stop) - uint(start) - uint(1)) / uint(step) + uint(1);
    if (step < int(0) && start > stop) count = (uint(start) - uint(stop) - uint(1)) / (uint(0) - uint(step)) + uint(1);
    return count;
}

#line 1 "first_failure.glsl"
// Whether this thread is the first of the launch to fail; the report then says where, and in which thread.
bool first_failure(uint site) {
    bool first = atomicCompSwap(report.failed, 0u, site) == 0u;
    if (first) {
        uvec3 thread = reporting_thread();
        report.global_x = thread.x;
        report.global_y = thread.y;
        report.global_z = thread.z;
    }
    return first;
}

#line 2 "in_range.glsl"
// Whether an index lies within a length; reports the launch's first that doesn't.
bool in_range(uint index, uint length_, uint site) {
    bool inside = index < length_;
    if (!inside && first_failure(site)) {
        report.words[0] = index;
        report.words[1] = length_;
    }
    return inside;
}

#line 1 "accessors"
float load_a(uint i, uint j, uint site) {
    float value = 0.0;
    if (in_range(i, launch.a_shape[0], site) && in_range(j, launch.a_shape[1], site + 1u)) {
        uint at = launch.a_offset + i * launch.a_shape[1] + j;
        value = a[at];
    }
    return value;
}

void store_a_tile(uint i, uint j, float value, uint site) {
    if (in_range(i, uint(TILE_constant), site) && in_range(j, uint(TILE_constant), site + 1u)) {
        a_tile[i * uint(TILE_constant) + j] = value;
    }
}

float load_b(uint i, uint j, uint site) {
    float value = 0.0;
    if (in_range(i, launch.b_shape[0], site) && in_range(j, launch.b_shape[1], site + 1u)) {
        uint at = launch.b_offset + i * launch.b_shape[1] + j;
        value = b[at];
    }
    return value;
}

void store_b_tile(uint i, uint j, float value, uint site) {
    if (in_range(i, uint(TILE_constant), site) && in_range(j, uint(TILE_constant), site + 1u)) {
        b_tile[i * uint(TILE_constant) + j] = value;
    }
}

float load_a_tile(uint i, uint j, uint site) {
    float value = 0.0;
    if (in_range(i, uint(TILE_constant), site) && in_range(j, uint(TILE_constant), site + 1u)) {
        value = a_tile[i * uint(TILE_constant) + j];
    }
    return value;
}

float load_b_tile(uint i, uint j, uint site) {
    float value = 0.0;
    if (in_range(i, uint(TILE_constant), site) && in_range(j, uint(TILE_constant), site + 1u)) {
        value = b_tile[i * uint(TILE_constant) + j];
    }
    return value;
}

void store_c(uint i, uint j, float value, uint site) {
    if (in_range(i, launch.c_shape[0], site) && in_range(j, launch.c_shape[1], site + 1u)) {
        uint at = launch.c_offset + i * launch.c_shape[1] + j;
        c[at] = value;
    }
}

#line 42 "kernels.py"
void main() {
    for (uint slot = gl_LocalInvocationIndex; slot < uint(TILE_constant * TILE_constant); slot += gl_WorkGroupSize.x * gl_WorkGroupSize.y * gl_WorkGroupSize.z) a_tile[slot] = 0.0;
    for (uint slot = gl_LocalInvocationIndex; slot < uint(TILE_constant * TILE_constant); slot += gl_WorkGroupSize.x * gl_WorkGroupSize.y * gl_WorkGroupSize.z) b_tile[slot] = 0.0;
    barrier();
#line 45 "kernels.py"
    int i = int(gl_LocalInvocationID.y);
    int j = int(gl_LocalInvocationID.x);
    int row = int(gl_WorkGroupID.y) * TILE + i;
    int column = int(gl_WorkGroupID.x) * TILE + j;
    float total = 0.0;
    const uint k_count = range_count(0, int(launch.a_shape[1]), TILE);
    for (uint k_number = 0u; k_number < k_count; k_number += 1u) {
        int k = int(k_number) * TILE;
#line 51 "kernels.py"
        store_a_tile(uint(i), uint(j), load_a(uint(row), uint(k + j), 1u), 3u);
        store_b_tile(uint(i), uint(j), load_b(uint(k + i), uint(column), 5u), 7u);
        barrier();
        for (int n = 0; n < TILE; ++n) {
            total = total + load_a_tile(uint(i), uint(n), 9u) * load_b_tile(uint(n), uint(j), 11u);
        }
#line 56 "kernels.py"
        barrier();
    }
#line 57 "kernels.py"
    if (row < int(launch.c_shape[0]) && column < int(launch.c_shape[1])) {
        store_c(uint(row), uint(column), total, 13u);
    }
}
