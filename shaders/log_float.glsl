//! needs is_nan_float
// log and log2 to about 1 ulp, near 1 too. The polynomial for (log(1 + f) - f + f^2/2) / f^3 is a minimax fit, made
// for this file by Lawson's algorithm; the order of the sums is that of Cephes' logf (S. Moshier).

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

// Whether log(x) is a limit: of NaN, 0, negative numbers and infinity.
bool log_limit(float x, out float result) {
    uint bits = floatBitsToUint(x);
    result = uintBitsToFloat(0x7FC00000u);
    if ((bits & 0x7FFFFFFFu) == 0u) result = uintBitsToFloat(0xFF800000u);
    if (bits == 0x7F800000u) result = x;
    return bits - 1u >= 0x7F7FFFFFu;  // neither of them: from the least denormal to the greatest number
}

// log(1 + f) - f
float log_rest(float f) {
    float p = 6.915293053703705e-2;
    p = p * f - 1.1789768189191818e-1;
    p = p * f + 1.1872990429401398e-1;
    p = p * f - 1.2384355813264847e-1;
    p = p * f + 1.4218656718730927e-1;
    p = p * f - 1.6669251024723053e-1;
    p = p * f + 2.0002226531505585e-1;
    p = p * f - 2.4999986588954926e-1;
    p = p * f + 3.333331048488617e-1;
    return f * f * f * p - 0.5 * f * f;
}

float own_log(float x) {
    float result;
    if (!log_limit(x, result)) {
        int k;
        float f = split_exponent(x, k) - 1.0;
        // ln 2 in two parts; k times the first is exact.
        result = f + (log_rest(f) + float(k) * -2.12194440e-4) + float(k) * 0.693359375;
    }
    return result;
}

float own_log2(float x) {
    float result;
    if (!log_limit(x, result)) {
        int k;
        float f = split_exponent(x, k) - 1.0;
        float rest = log_rest(f);
        // Times 1/ln 2 = 1 + 0.4426...
        result = rest * 0.44269504 + f * 0.44269504 + rest + f + float(k);
    }
    return result;
}
