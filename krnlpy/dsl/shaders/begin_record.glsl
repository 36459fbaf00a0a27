// Takes room for a record of some words of values and writes its head. Where the values go; 0 if there is no room.
uint begin_record(uint site, uint values) {
    uint size = 4u + values;
    uint at, used = atomicOr(report.used, 0u);
    do {
        at = used;
        if (size > report.capacity - at) {
            atomicAdd(report.lost, 1u);
            return 0u;
        }
        used = atomicCompSwap(report.used, at, at + size);
    } while (used != at);
    uvec3 thread = reporting_thread();
    report.words[at] = site;
    report.words[at + 1u] = thread.x;
    report.words[at + 2u] = thread.y;
    report.words[at + 3u] = thread.z;
    return at + 4u;
}
