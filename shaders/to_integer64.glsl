//! needs bits_T
// Truncates, saturates at the ends of the type, turns NaN into 0; GLSL's conversions are undefined there.
int64_t to_int64(T x) {
    int64_t result;
    if (is_nan(x)) {
        result = 0l;
    } else if (x >= T(9223372036854775808.0)) {
        result = 0x7FFFFFFFFFFFFFFFl;
    } else if (x <= T(-9223372036854775808.0)) {
        result = int64_t(0x8000000000000000ul);
    } else {
        result = int64_t(x);
    }
    return result;
}

uint64_t to_uint64(T x) {
    uint64_t result;
    if (is_nan(x) || x <= T(0.0)) {
        result = 0ul;
    } else if (x >= T(18446744073709551616.0)) {
        result = 0xFFFFFFFFFFFFFFFFul;
    } else {
        result = uint64_t(x);
    }
    return result;
}
