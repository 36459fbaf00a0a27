// What the bits of an f32 say: compilers may assume that isnan() and isinf() are never true.
bool is_nan(float x) {
    return (floatBitsToUint(x) & 0x7FFFFFFFu) > 0x7F800000u;
}

bool is_inf(float x) {
    return (floatBitsToUint(x) & 0x7FFFFFFFu) == 0x7F800000u;
}

bool is_zero(float x) {
    return (floatBitsToUint(x) & 0x7FFFFFFFu) == 0u;
}

bool is_negative(float x) {
    return floatBitsToInt(x) < 0;
}

float infinity(float like) {
    return uintBitsToFloat(0x7F800000u);
}

float not_a_number(float like) {
    return uintBitsToFloat(0x7FC00000u);
}

// x * 2^n in two steps, so that the result may overflow or be denormal.
float scale_exp2(float x, int n) {
    int first = n >> 1;
    return x * intBitsToFloat(first + 127 << 23) * intBitsToFloat(n - first + 127 << 23);
}

// x = m * 2^k with m in [sqrt(1/2), sqrt(2)), of a positive finite x.
float split_exponent(float x, out int k) {
    int bits = floatBitsToInt(x);
    k = 0;
    if (bits < 0x00800000) {  // denormal
        int shift = 23 - findMSB(bits);
        bits <<= shift;
        k = -shift;
    }
    int e = bits - 0x3F3504F3 >> 23;
    k += e;
    return intBitsToFloat(bits - (e << 23));
}
