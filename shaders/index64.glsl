// A 64-bit index as 32 bits; what doesn't fit becomes the greatest, which is out of range for every length.
uint index_of(T i) {
    return i < T(0) || i > T(0xFFFFFFFFu) ? 0xFFFFFFFFu : uint(i);
}
