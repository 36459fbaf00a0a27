#version 460
#extension GL_GOOGLE_cpp_style_line_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_basic : require

// subgroups
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(push_constant, std430) uniform Launch {
    uint x_offset;
    uint x_shape[1];
    uint y_offset;
    uint y_shape[1];
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { uint x[]; };
layout(std430, binding = 1) writeonly buffer Buffer1 { uint y[]; };

uint load_x(uint i) {
    uint value = 0u;
    if (i < launch.x_shape[0]) {
        uint at = launch.x_offset + i;
        value = x[at];
    }
    return value;
}

void store_y(uint i, uint value) {
    if (i < launch.y_shape[0]) {
        uint at = launch.y_offset + i;
        y[at] = value;
    }
}

#line 156 "kernels.py"
void main() {
#line 157 "kernels.py"
    int i = int(gl_GlobalInvocationID.x);
    uint add = subgroupAdd(load_x(uint(i)));
#line 158 "kernels.py"
    uint total = add;
    store_y(uint(i), total);
}
