//! needs bits_T
// b if b < a else a, and b if b > a else a: with a NaN on either side, a. GLSL's min and max may return either.
T minimum(T a, T b) {
    return !is_nan(a) && !is_nan(b) && b < a ? b : a;
}

T maximum(T a, T b) {
    return !is_nan(a) && !is_nan(b) && b > a ? b : a;
}
