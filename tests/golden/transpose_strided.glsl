#version 460
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_cpp_style_line_directive : require
spirv_execution_mode(capabilities = [4466], 4461, 32);

// transpose
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(push_constant, std430) uniform Launch {
    uint a_offset;
    uint a_shape[2];
    int a_strides[2];
    uint b_offset;
    uint b_shape[2];
    int b_strides[2];
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { float a[]; };
layout(std430, binding = 1) writeonly buffer Buffer1 { float b[]; };

float load_a(uint i, uint j) {
    float value = 0.0;
    if (i < launch.a_shape[0] && j < launch.a_shape[1]) {
        uint at = launch.a_offset + i * uint(launch.a_strides[0]) + j * uint(launch.a_strides[1]);
        value = a[at];
    }
    return value;
}

void store_b(uint i, uint j, float value) {
    if (i < launch.b_shape[0] && j < launch.b_shape[1]) {
        uint at = launch.b_offset + i * uint(launch.b_strides[0]) + j * uint(launch.b_strides[1]);
        b[at] = value;
    }
}

#line 90 "kernels.py"
void main() {
#line 91 "kernels.py"
    int row = int(gl_GlobalInvocationID.y);
#line 91 "kernels.py"
    int column = int(gl_GlobalInvocationID.x);
    store_b(uint(column), uint(row), load_a(uint(row), uint(column)));
}
