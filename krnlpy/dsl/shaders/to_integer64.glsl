//! needs is_nan_T
// Truncates, saturates at the ends of the type, turns NaN into 0; GLSL's conversions are undefined there.
int64_t to_int64(T x) {
    if (is_nan(x)) return 0l;
    if (x >= T(9223372036854775808.0)) return 0x7FFFFFFFFFFFFFFFl;
    if (x <= T(-9223372036854775808.0)) return int64_t(0x8000000000000000ul);
    return int64_t(x);
}

uint64_t to_uint64(T x) {
    if (is_nan(x) || x <= T(0.0)) return 0ul;
    if (x >= T(18446744073709551616.0)) return 0xFFFFFFFFFFFFFFFFul;
    return uint64_t(x);
}
