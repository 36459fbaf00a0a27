//! needs bits_T
// Truncates, saturates at the ends of the type, turns NaN into 0; GLSL's conversions are undefined there.
int to_int(T x) {
    int result;
    if (is_nan(x)) {
        result = 0;
    } else if (x >= T(2147483648.0)) {
        result = 0x7FFFFFFF;
    } else if (x <= T(-2147483648.0)) {
        result = int(0x80000000u);
    } else {
        result = int(x);
    }
    return result;
}

uint to_uint(T x) {
    uint result;
    if (is_nan(x) || x <= T(0.0)) {
        result = 0u;
    } else if (x >= T(4294967296.0)) {
        result = 0xFFFFFFFFu;
    } else {
        result = uint(x);
    }
    return result;
}
