//! needs constants_double
// log and log2 in double precision to about 1 ulp, near 1 too: log((1 + s) / (1 - s)) is odd in s.
// Polynomials are near-minimax: interpolated at Chebyshev nodes in 60 digits, for this file.

// x = m * 2^k with m in [sqrt(1/2), sqrt(2)), of a positive finite x.
double split_exponent(double x, out int k) {
    uvec2 words = unpackDouble2x32(x);
    k = 0;
    if (words.y < 0x00100000u) {  // denormal; integers move the bits, as the device may take x for 0
        int top = words.y != 0u ? findMSB(words.y) + 32 : findMSB(words.x);
        int shift = 52 - top;
        if (shift >= 32) {
            words = uvec2(0u, words.x << shift - 32);
        } else {
            words = uvec2(words.x << shift, words.y << shift | words.x >> 32 - shift);
        }
        k = -shift;
    }
    int e = int(words.y) - 0x3FE6A09E >> 20;
    k += e;
    return packDouble2x32(uvec2(words.x, words.y - uint(e << 20)));
}

// Whether log(x) is a limit: of NaN, 0, negative numbers and infinity.
bool log_limit(double x, out double result) {
    uvec2 words = unpackDouble2x32(x);
    bool zero = ((words.y & 0x7FFFFFFFu) | words.x) == 0u;
    bool infinite = words.y == 0x7FF00000u && words.x == 0u;
    result = zero ? -infinity_f64() : infinite ? x : not_a_number_f64();
    return zero || words.y >= 0x7FF00000u;
}

// log(1 + f) - f
double log_rest(double f) {
    double s = f / (2.0lf + f);
    double z = s * s;
    double p = 0.14617807153417325lf;
    p = p * z + 0.15331611722055008lf;
    p = p * z + 0.1818289243253687lf;
    p = p * z + 0.22222211089379496lf;
    p = p * z + 0.28571428626253836lf;
    p = p * z + 0.3999999999989889lf;
    p = p * z + 0.666666666666667lf;
    double half_square = 0.5lf * f * f;
    return s * (half_square + z * p) - half_square;
}

double own_log(double x) {
    double result;
    if (!log_limit(x, result)) {
        int k;
        double f = split_exponent(x, k) - 1.0lf;
        // ln 2 in two parts; k times the first is exact.
        result = f + (log_rest(f) + double(k) * -4.2009150726810846e-11lf) + double(k) * 0.6931471806019545lf;
    }
    return result;
}

double own_log2(double x) {
    double result;
    if (!log_limit(x, result)) {
        int k;
        double f = split_exponent(x, k) - 1.0lf;
        double rest = log_rest(f);
        // Times 1/ln 2 = 1 + 0.4426...
        result = rest * 0.4426950408889634lf + f * 0.4426950408889634lf + rest + f + double(k);
    }
    return result;
}
