// What the bits of an f64 say: compilers may assume that isnan() and isinf() are never true.
bool is_nan(double x) {
    uvec2 words = unpackDouble2x32(x);
    uint high = words.y & 0x7FFFFFFFu;
    return high > 0x7FF00000u || (high == 0x7FF00000u && words.x != 0u);
}

bool is_inf(double x) {
    uvec2 words = unpackDouble2x32(x);
    return (words.y & 0x7FFFFFFFu) == 0x7FF00000u && words.x == 0u;
}

bool is_zero(double x) {
    uvec2 words = unpackDouble2x32(x);
    return ((words.y & 0x7FFFFFFFu) | words.x) == 0u;
}

bool is_negative(double x) {
    return (unpackDouble2x32(x).y & 0x80000000u) != 0u;
}

double infinity(double like) {
    return packDouble2x32(uvec2(0u, 0x7FF00000u));
}

double not_a_number(double like) {
    return packDouble2x32(uvec2(0u, 0x7FF80000u));
}

// x * 2^n in two steps, so that the result may overflow or be denormal.
double scale_exp2(double x, int n) {
    int first = n >> 1;
    double factor = packDouble2x32(uvec2(0u, uint(first + 1023 << 20)));
    return x * factor * packDouble2x32(uvec2(0u, uint(n - first + 1023 << 20)));
}

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
