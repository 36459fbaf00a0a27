#version 460
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_cpp_style_line_directive : require
spirv_execution_mode(capabilities = [4466], 4461, 32);

// saxpy
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(push_constant, std430) uniform Launch {
    float alpha;
    uint items;
    uint x_offset;
    uint y_offset;
} launch;
layout(std430, binding = 0) readonly buffer Buffer0 { float x[]; };
layout(std430, binding = 1) buffer Buffer1 { float y[]; };
uint item;

#line 25 "kernels.py"
void kernel_body() {
    uint at_x = launch.x_offset + item;
    uint at_y = launch.y_offset + item;
#line 26 "kernels.py"
    y[at_y] = y[at_y] + launch.alpha * x[at_x];
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
