#version 460
#extension GL_GOOGLE_cpp_style_line_directive : require

// loops
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(push_constant, std430) uniform Launch {
    int n;
    uint x_offset;
    uint x_shape[1];
    uint y_offset;
    uint y_shape[1];
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { int x[]; };
layout(std430, binding = 1) writeonly buffer Buffer1 { int y[]; };

#line 6 "least.glsl"
int greatest(int a, int b) {
    return b > a ? b : a;
}

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

int floor_mod(int a, int b) {
    return b == int(0) ? int(0) : a - floor_div(a, b) * b;
}

#line 1 "accessors"
int load_x(uint i) {
    int value = 0;
    if (i < launch.x_shape[0]) {
        uint at = launch.x_offset + i;
        value = x[at];
    }
    return value;
}

void store_y(uint i, int value) {
    if (i < launch.y_shape[0]) {
        uint at = launch.y_offset + i;
        y[at] = value;
    }
}

#line 113 "kernels.py"
void main() {
#line 114 "kernels.py"
    int i = int(gl_GlobalInvocationID.x);
    int best = load_x(uint(i));
    for (int k = 0; k < launch.n; ++k) {
        if (load_x(uint(k)) < 0) {
            continue;
        }
#line 119 "kernels.py"
        if (load_x(uint(k)) > 1000) {
            break;
        }
#line 121 "kernels.py"
        best = greatest(best, load_x(uint(k)));
    }
#line 122 "kernels.py"
    for (int k = launch.n; k > 0; k += -3) {
        best = best + k;
    }
#line 124 "kernels.py"
    const uint k_count = range_count(i, i + 9, 1);
    for (uint k_number = 0u; k_number < k_count; k_number += 1u) {
        int k = i + int(k_number);
#line 125 "kernels.py"
        if (floor_mod(k, 2) == 1) {
            k = k + 1;
            best = best ^ k;
        }
    }
#line 128 "kernels.py"
    while (best > launch.n && best != 0) {
        best = floor_div(best, 2);
    }
#line 130 "kernels.py"
    store_y(uint(i), best);
}
