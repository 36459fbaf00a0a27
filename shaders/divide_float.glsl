// For divisors that compilers know: Mesa's lavapipe takes x / 0 for 0 there.
float divide(float x, float y) {
    float infinity = uintBitsToFloat((floatBitsToUint(y) & 0x80000000u) | 0x7F800000u);
    return y == 0.0 ? x * infinity : x / y;
}

float no_number(float like) {
    return uintBitsToFloat(0x7FC00000u);
}
