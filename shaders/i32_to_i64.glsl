// Put together from its words: Mesa 22.3 gets int64_t(x) < C wrong, for constants C.
int64_t i32_to_i64(int x) {
    return packInt2x32(ivec2(x, x >> 31));
}
