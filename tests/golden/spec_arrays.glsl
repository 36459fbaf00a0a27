#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_cpp_style_line_directive : require
spirv_execution_mode(capabilities = [4466], 4461, 32);

// spec_arrays
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const int N_constant = 4;
int N = N_constant;
layout(constant_id = 4) const float scale_constant = 0.5;
float scale = scale_constant;
layout(push_constant, std430) uniform Launch {
    uint x_offset;
    uint x_shape[1];
    uint y_offset;
    uint y_shape[1];
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { float x[]; };
layout(std430, binding = 1) writeonly buffer Buffer1 { float y[]; };
float window[N_constant * 2 + 1 > 0 ? N_constant * 2 + 1 : 1];

float load_x(uint i) {
    float value = 0.0;
    if (i < launch.x_shape[0]) {
        uint at = launch.x_offset + i;
        value = x[at];
    }
    return value;
}

void store_window(uint i, float value) {
    if (i < uint(N_constant * 2 + 1)) {
        window[i] = value;
    }
}

float load_window(uint i) {
    float value = 0.0;
    if (i < uint(N_constant * 2 + 1)) {
        value = window[i];
    }
    return value;
}

void store_y(uint i, float value) {
    if (i < launch.y_shape[0]) {
        uint at = launch.y_offset + i;
        y[at] = value;
    }
}

#line 81 "kernels.py"
void main() {
    [[unroll]] for (int slot = 0; slot < N_constant * 2 + 1; ++slot) window[slot] = 0.0;
#line 83 "kernels.py"
    int i = int(gl_GlobalInvocationID.x);
    const int k_stop = 2 * N + 1;
    for (int k = 0; k < k_stop; ++k) {
#line 85 "kernels.py"
        store_window(uint(k), load_x(uint(i + k)) * scale);
    }
#line 86 "kernels.py"
    store_y(uint(i), load_window(uint(N)) - load_window(0u));
}
