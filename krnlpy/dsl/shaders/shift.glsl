// Shifts by counts that may lie outside 0..BITS-1, where GLSL's are undefined.
T shift_left(T a, T count) {
    if (count < T(0) || count >= T(BITS)) return T(0);
    return a << count;
}

T shift_right(T a, T count) {
    if (count < T(0) || count >= T(BITS)) return a < T(0) ? T(0) - T(1) : T(0);
    return a >> count;
}
