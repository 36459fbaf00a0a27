//! needs is_nan_T
// Truncates, saturates at the ends of the type, turns NaN into 0; GLSL's conversions are undefined there.
int to_int(T x) {
    if (is_nan(x)) return 0;
    if (x >= T(2147483648.0)) return 0x7FFFFFFF;
    if (x <= T(-2147483648.0)) return int(0x80000000u);
    return int(x);
}

uint to_uint(T x) {
    if (is_nan(x) || x <= T(0.0)) return 0u;
    if (x >= T(4294967296.0)) return 0xFFFFFFFFu;
    return uint(x);
}
