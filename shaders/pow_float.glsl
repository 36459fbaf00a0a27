//! needs is_nan_float
//! needs exp_float
//! needs log_float
//! needs exact_product_float
// x to the power y as in C and Python, to about 1 ulp: 2^(y log2(x)) with the logarithm in two floats. Sums and
// products in two floats: T. J. Dekker, A floating-point technique for extending the available precision, 1971.

vec2 product2(vec2 a, vec2 b) {
    vec2 p = exact_product(a.x, b.x);
    float low = p.y + (a.x * b.y + a.y * b.x);
    float high = p.x + low;
    return vec2(high, low - (high - p.x));
}

// The sum where |a| >= |b| or a = 0.
vec2 sum2(vec2 a, vec2 b) {
    float sum = a.x + b.x;
    float low = b.x - (sum - a.x) + (a.y + b.y);
    float high = sum + low;
    return vec2(high, low - (high - sum));
}

// log2(x) of a positive finite x, by log((1 + s) / (1 - s)) = 2 (s + s^3/3 + s^5/5 + ...).
vec2 log2_exact(float x) {
    int k;
    float f = split_exponent(x, k) - 1.0;
    float below = 2.0 + f;
    float s = f / below;
    vec2 p = exact_product(s, below);
    // What s lacks of the exact quotient; the sum below lost f - (below - 2).
    vec2 quotient = sum2(vec2(s, 0.0), vec2((f - p.x - p.y - s * (f - (below - 2.0))) / below, 0.0));
    vec2 z = product2(quotient, quotient);
    float tail = z.x * (0.4 + z.x * (0.285714286 + z.x * (0.222222222 + z.x * (0.181818182 + z.x * 0.153846154))));
    vec2 factor = sum2(vec2(0.666666687, -1.98682149e-8), vec2(tail, 0.0));
    vec2 series = sum2(2.0 * quotient, product2(product2(quotient, z), factor));
    return sum2(vec2(float(k), 0.0), product2(series, vec2(1.44269502, 1.92596303e-8)));
}

float power(float x, float y) {
    const float infinity = uintBitsToFloat(0x7F800000u);
    const float not_a_number = uintBitsToFloat(0x7FC00000u);
    float base = abs(x);
    bool whole = abs(y) >= 8388608.0 || floor(y) == y;
    bool odd = whole && abs(y) < 16777216.0 && floor(0.5 * y) != 0.5 * y;
    bool negative = floatBitsToInt(x) < 0;
    float result;
    if (y == 0.0 || x == 1.0) {
        result = 1.0;
    } else if (is_nan(x) || is_nan(y)) {
        result = not_a_number;
    } else if (is_inf(y)) {
        result = base == 1.0 ? 1.0 : base > 1.0 == y > 0.0 ? infinity : 0.0;
    } else if (floatBitsToUint(base) == 0u || is_inf(base)) {
        result = (floatBitsToUint(base) == 0u) == y < 0.0 ? infinity : 0.0;
    } else if (negative && !whole) {
        result = not_a_number;
    } else {
        vec2 exponent = log2_exact(base);
        // An exponent of this size overflows or underflows, unless the base is 1.
        float limited = clamp(y, -8589934592.0, 8589934592.0);
        vec2 p = exact_product(limited, exponent.x);
        p.y += limited * exponent.y;
        float n = floor(p.x + 0.5);
        if (n > 128.0) {
            result = infinity;
        } else if (n < -151.0) {
            result = 0.0;
        } else {
            result = scale_exp2(exp2_rest(p.x - n + p.y), int(n));
        }
    }
    return negative && odd ? -result : result;
}
