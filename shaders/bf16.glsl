// bf16 as the low 16 bits of a uint, to and from f32: exact, and to the nearest with ties to even.
float bf16_to_f32(uint bits) {
    return uintBitsToFloat(bits << 16);
}

uint f32_to_bf16(float x) {
    uint bits = floatBitsToUint(x);
    bool nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;  // which stays NaN
    return nan ? bits >> 16 | 0x40u : bits + 0x7FFFu + (bits >> 16 & 1u) >> 16;
}

float round_bf16(float x) {
    return bf16_to_f32(f32_to_bf16(x));
}
