//! needs bits_T
//! needs exp of T
//! needs exact_product of T
//! needs round_T
// x to the power y as in C and Python, to about 1 ulp: 2^(y log2(x)) with the logarithm in two parts. Sums and
// products in two parts: T. J. Dekker, A floating-point technique for extending the available precision, 1971.
//! let LOG2_TAIL =
//!     0.153846154, 0.181818182, 0.222222222, 0.285714286, 0.4
//!     | 0.11724327060846747, 0.11706126464563398, 0.1333480879881234, 0.1538459488700718, 0.18181818336099848,
//!     0.22222222221652765, 0.2857142857142937, 0.4
//! let TWO_THIRDS = T2(0.666666687, -1.98682149e-8) | T2(0.6666666666666666, 3.700743415417188e-17)
//! let LOG2_E2 = T2(1.44269502, 1.92596303e-8) | T2(1.4426950408889634, 2.0355273740931033e-17)
//! let ALL_WHOLE = 8388608.0 | 4503599627370496.0
//! let ALL_EVEN = 16777216.0 | 9007199254740992.0
//! let EXPONENT_MOST = 8589934592.0 | 36893488147419103232.0
//! let POWER_LEAST = -151.0 | -1077.0
//! let POWER_MOST = 128.0 | 1024.0

T2 product2(T2 a, T2 b) {
    T2 p = exact_product(a.x, b.x);
    T low = p.y + (a.x * b.y + a.y * b.x);
    T high = p.x + low;
    return T2(high, low - (high - p.x));
}

// The sum where |a| >= |b| or a = 0.
T2 sum2(T2 a, T2 b) {
    T sum = a.x + b.x;
    T low = b.x - (sum - a.x) + (a.y + b.y);
    T high = sum + low;
    return T2(high, low - (high - sum));
}

// log2(x) of a positive finite x, by log((1 + s) / (1 - s)) = 2 (s + s^3/3 + s^5/5 + ...).
T2 log2_exact(T x) {
    int k;
    T f = split_exponent(x, k) - 1.0;
    T below = 2.0 + f;
    T s = f / below;
    T2 p = exact_product(s, below);
    // What s lacks of the exact quotient; the sum below lost f - (below - 2).
    T lacking = (f - p.x - p.y - s * (f - (below - 2.0))) / below;
    T2 quotient = sum2(T2(s, 0.0), T2(lacking, 0.0));
    T2 z = product2(quotient, quotient);
    T tail = POLYNOMIAL(z.x, LOG2_TAIL);
    T2 factor = sum2(TWO_THIRDS, T2(tail * z.x, 0.0));
    T2 series = sum2(2.0 * quotient, product2(product2(quotient, z), factor));
    return sum2(T2(T(k), 0.0), product2(series, LOG2_E2));
}

T power(T x, T y) {
    T base = abs(x);
    bool whole = abs(y) >= ALL_WHOLE || own_floor(y) == y;
    bool odd = whole && abs(y) < ALL_EVEN && own_floor(0.5 * y) != 0.5 * y;
    bool negative = is_negative(x);
    bool zero = is_zero(x);
    T result;
    if (y == 0.0 || x == 1.0) {
        result = 1.0;
    } else if (is_nan(x) || is_nan(y)) {
        result = not_a_number(x);
    } else if (is_inf(y)) {
        result = base == 1.0 ? 1.0 : base > 1.0 == y > 0.0 ? infinity(x) : 0.0;
    } else if (zero || is_inf(base)) {
        result = zero == y < 0.0 ? infinity(x) : 0.0;
    } else if (negative && !whole) {
        result = not_a_number(x);
    } else {
        T2 exponent = log2_exact(base);
        // An exponent of this size overflows or underflows, unless the base is 1.
        T limited = clamp(y, -EXPONENT_MOST, EXPONENT_MOST);
        T2 p = exact_product(limited, exponent.x);
        p.y += limited * exponent.y;
        T n = own_floor(p.x + 0.5);
        if (n > POWER_MOST) {
            result = infinity(x);
        } else if (n < POWER_LEAST) {
            result = 0.0;
        } else {
            result = scale_exp2(exp2_rest(p.x - n + p.y), int(n));
        }
    }
    return negative && odd ? -result : result;
}
