#version 460
#extension GL_GOOGLE_cpp_style_line_directive : require

// packed_bytes
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(std430, binding = 3) restrict readonly buffer Launch {
    uint x_offset;
    uint x_shape[1];
    uint y_offset;
    uint y_shape[1];
    uint z_offset;
    uint z_shape[1];
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { uint x[]; };
layout(std430, binding = 1) buffer Buffer1 { uint y[]; };
layout(std430, binding = 2) buffer Buffer2 { uint z[]; };

uint load_x(uint i) {
    uint value = 0u;
    if (i < launch.x_shape[0]) {
        uint at = launch.x_offset + i;
        value = bitfieldExtract(x[at >> 2], int(at & 3u) * 8, 8);
    }
    return value;
}

void insert_y(uint at, uint bits) {
    uint word = y[at >> 2], seen;
    do {
        seen = word;
        uint changed = bitfieldInsert(seen, bits, int(at & 3u) * 8, 8);
        word = atomicCompSwap(y[at >> 2], seen, changed);
    } while (word != seen);
}

void store_y(uint i, uint value) {
    if (i < launch.y_shape[0]) {
        uint at = launch.y_offset + i;
        insert_y(at, value);
    }
}

uint load_z(uint i) {
    uint value = 0u;
    if (i < launch.z_shape[0]) {
        uint at = launch.z_offset + i;
        value = bitfieldExtract(z[at >> 1], int(at & 1u) * 16, 16);
    }
    return value;
}

void insert_z(uint at, uint bits) {
    uint word = z[at >> 1], seen;
    do {
        seen = word;
        uint changed = bitfieldInsert(seen, bits, int(at & 1u) * 16, 16);
        word = atomicCompSwap(z[at >> 1], seen, changed);
    } while (word != seen);
}

void store_z(uint i, uint value) {
    if (i < launch.z_shape[0]) {
        uint at = launch.z_offset + i;
        insert_z(at, value);
    }
}

#line 35 "kernels.py"
void main() {
#line 36 "kernels.py"
    int i = int(gl_GlobalInvocationID.x);
    store_y(uint(i), load_x(uint(i)) + 1u & 0xFFu);
    store_z(uint(i), load_z(uint(i)) ^ load_x(uint(i)) << 3 & 0xFFFFu);
}
