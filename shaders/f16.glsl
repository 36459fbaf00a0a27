// f16 (IEEE binary16) as the low 16 bits of a uint, to and from f32: exact, and to the nearest with ties to even.
float f16_to_f32(uint half_bits) {
    uint sign_bit = (half_bits & 0x8000u) << 16;
    uint magnitude = half_bits & 0x7FFFu;
    uint bits = (magnitude << 13) + (112u << 23);
    if (magnitude >= 0x7C00u) bits = 0x7F800000u | (magnitude & 0x3FFu) << 13;  // infinity and NaN
    // Below the least normal number, halves are whole multiples of 2^-24.
    if (magnitude < 0x0400u) bits = floatBitsToUint(float(magnitude) * 5.9604644775390625e-8);
    return uintBitsToFloat(sign_bit | bits);
}

uint f32_to_f16(float x) {
    uint bits = floatBitsToUint(x);
    uint sign_bit = bits >> 16 & 0x8000u;
    uint magnitude = bits & 0x7FFFFFFFu;
    uint result = 0u;  // of half of the least denormal number, and less
    if (magnitude > 0x7F800000u) {
        result = 0x7E00u | (magnitude >> 13 & 0x3FFu);  // NaN stays NaN
    } else if (magnitude >= 0x47800000u) {
        result = 0x7C00u;  // 65536 and more
    } else if (magnitude >= 0x38800000u) {
        // Rounding may carry into the exponent, up to infinity.
        result = (magnitude - (112u << 23) + 0xFFFu + (magnitude >> 13 & 1u)) >> 13;
    } else if (magnitude > 0x33000000u) {
        uint significand = magnitude & 0x7FFFFFu | 0x800000u;
        uint shift = 126u - (magnitude >> 23);
        result = significand >> shift;
        uint rest = significand & (1u << shift) - 1u;
        uint middle = 1u << shift - 1u;
        if (rest > middle || (rest == middle && (result & 1u) == 1u)) result += 1u;
    }
    return sign_bit | result;
}

float round_f16(float x) {
    return f16_to_f32(f32_to_f16(x));
}
