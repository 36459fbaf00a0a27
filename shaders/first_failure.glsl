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
