// For divisors that compilers know: Mesa's lavapipe takes x / 0 for 0 there.
double divide(double x, double y) {
    double infinity = packDouble2x32(uvec2(0u, (unpackDouble2x32(y).y & 0x80000000u) | 0x7FF00000u));
    return y == 0.0lf ? x * infinity : x / y;
}

double no_number(double like) {
    return packDouble2x32(uvec2(0u, 0x7FF80000u));
}
