//! needs bits_T
//! needs log_rest_T
// log and log2 to about 1 ulp, near 1 too.
//! let LN2_HIGH = 0.693359375 | 0.6931471806019545
//! let LN2_LOW = -2.12194440e-4 | -4.2009150726810846e-11
//! let LOG2_E_LESS_1 = 0.44269504 | 0.4426950408889634

// Whether log(x) is a limit: of NaN, 0, negative numbers and infinity.
bool log_limit(T x, out T result) {
    result = is_zero(x) ? -infinity(x) : is_inf(x) && !is_negative(x) ? x : not_a_number(x);
    return is_zero(x) || is_negative(x) || is_inf(x) || is_nan(x);
}

T own_log(T x) {
    T result;
    if (!log_limit(x, result)) {
        int k;
        T f = split_exponent(x, k) - 1.0;
        // ln 2 in two parts; k times the first is exact.
        result = f + (log_rest(f) + T(k) * LN2_LOW) + T(k) * LN2_HIGH;
    }
    return result;
}

T own_log2(T x) {
    T result;
    if (!log_limit(x, result)) {
        int k;
        T f = split_exponent(x, k) - 1.0;
        T rest = log_rest(f);
        // Times 1/ln 2 = 1 + 0.4426...
        result = rest * LOG2_E_LESS_1 + f * LOG2_E_LESS_1 + rest + f + T(k);
    }
    return result;
}
