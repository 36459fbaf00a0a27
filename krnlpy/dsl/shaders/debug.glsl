// Whether an index lies within a length; records the launch's first that doesn't.
bool in_range(uint index, uint length_, uint line, uint column) {
    if (index < length_) return true;
    if (atomicCompSwap(failure.failed, 0u, 1u) == 0u) {
        failure.line = line;
        failure.column = column;
        failure.index = index;
        failure.length_ = length_;
        failure.global_x = gl_GlobalInvocationID.x;
        failure.global_y = gl_GlobalInvocationID.y;
        failure.global_z = gl_GlobalInvocationID.z;
    }
    return false;
}
