// Takes room for a record of some words of values and writes its head. Where the values go; 0 if there is no room.
uint begin_record(uint site, uint values) {
    uint size = 4u + values;
    // Read before the loop: to threads that have left it, lavapipe gives 0 for what is read in it.
    uint capacity = report.capacity;
    uint at, used = atomicOr(report.used, 0u);
    do {
        at = used;
        if (size <= capacity - at) used = atomicCompSwap(report.used, at, at + size);
    } while (used != at);
    bool has_room = size <= capacity - at;
    if (has_room) {
        uvec3 thread = reporting_thread();
        report.words[at] = site;
        report.words[at + 1u] = thread.x;
        report.words[at + 2u] = thread.y;
        report.words[at + 3u] = thread.z;
    } else {
        atomicAdd(report.lost, 1u);
    }
    return has_room ? at + 4u : 0u;
}
