// Shifts by counts that may lie outside 0..BITS-1, where GLSL's are undefined.
T shift_left(T a, T count) {
    T shifted = a << (count & T(BITS - 1));
    return count < T(0) || count >= T(BITS) ? T(0) : shifted;
}

T shift_right(T a, T count) {
    T shifted = a >> (count & T(BITS - 1));
    T sign = a < T(0) ? T(0) - T(1) : T(0);
    return count < T(0) || count >= T(BITS) ? sign : shifted;
}
