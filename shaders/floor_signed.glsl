// Division and remainder as Python's: rounded towards minus infinity; 0 where the divisor is 0.
// GLSL's % is undefined for negative operands, so it is not used.
T floor_div(T a, T b) {
    T quotient = b == T(-1) ? -a : T(0);  // the least integer wraps, where / would overflow
    if (b != T(0) && b != T(-1)) {
        quotient = a / b;
        if (quotient * b != a && (a < T(0)) != (b < T(0))) quotient -= T(1);
    }
    return quotient;
}

T floor_mod(T a, T b) {
    return b == T(0) ? T(0) : a - floor_div(a, b) * b;
}
