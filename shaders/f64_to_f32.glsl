// To the nearest f32 with ties to even. A device may round otherwise, and a compiler drop the rounding altogether
// where the result becomes an f64 again.
float f64_to_f32(double x) {
    uvec2 words = unpackDouble2x32(x);
    uint sign_bit = words.y & 0x80000000u;
    uint high = words.y & 0x7FFFFFFFu;
    uint exponent = high >> 20;
    uint bits = (high - (896u << 20)) << 3 | words.x >> 29;
    uint rest = words.x & 0x1FFFFFFFu;
    uint middle = 0x10000000u;
    if (exponent <= 896u) {  // a denormal f32, or 0
        uint shift = min(897u - exponent, 25u);
        uint significand = (high & 0xFFFFFu | 0x100000u) << 3 | words.x >> 29;
        uint dropped = significand & (1u << shift) - 1u;
        bits = significand >> shift;
        // What was dropped before matters only beside an exact middle.
        rest = dropped << 1 | uint(rest != 0u);
        middle = 1u << shift;
    }
    if (rest > middle || (rest == middle && (bits & 1u) == 1u)) bits += 1u;
    if (high >= 0x47F00000u) bits = 0x7F800000u;  // 2^128 and more
    if (high > 0x7FF00000u || (high == 0x7FF00000u && words.x != 0u)) bits = 0x7FC00000u;  // NaN
    return uintBitsToFloat(sign_bit | bits);
}
