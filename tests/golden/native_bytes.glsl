#version 460
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_GOOGLE_cpp_style_line_directive : require

// packed_bytes
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(push_constant, std430) uniform Launch {
    uint x_offset;
    uint x_shape[1];
    uint y_offset;
    uint y_shape[1];
    uint z_offset;
    uint z_shape[1];
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { uint8_t x[]; };
layout(std430, binding = 1) writeonly buffer Buffer1 { uint8_t y[]; };
layout(std430, binding = 2) buffer Buffer2 { uint16_t z[]; };

uint load_x(uint i) {
    uint value = 0u;
    if (i < launch.x_shape[0]) {
        uint at = launch.x_offset + i;
        value = uint(x[at]);
    }
    return value;
}

void store_y(uint i, uint value) {
    if (i < launch.y_shape[0]) {
        uint at = launch.y_offset + i;
        y[at] = uint8_t(value);
    }
}

uint load_z(uint i) {
    uint value = 0u;
    if (i < launch.z_shape[0]) {
        uint at = launch.z_offset + i;
        value = uint(z[at]);
    }
    return value;
}

void store_z(uint i, uint value) {
    if (i < launch.z_shape[0]) {
        uint at = launch.z_offset + i;
        z[at] = uint16_t(value);
    }
}

#line 35 "kernels.py"
void main() {
#line 36 "kernels.py"
    int i = int(gl_GlobalInvocationID.x);
    store_y(uint(i), load_x(uint(i)) + 1u & 0xFFu);
    store_z(uint(i), load_z(uint(i)) ^ load_x(uint(i)) << 3 & 0xFFFFu);
}
