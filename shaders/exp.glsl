//! needs bits_T
//! needs round_T
// exp and exp2 to about 1 ulp. The range is reduced to powers of 2 (Cody and Waite, Software Manual for the Elementary
// Functions, 1980). The polynomials were made for this file: those of f32 are minimax fits by Lawson's algorithm, those
// of f64 are interpolated at Chebyshev nodes in 60 digits.
//! let EXP2_POLYNOMIAL =
//!     1.5475097461603582e-4, 1.3400311581790447e-3, 9.618008509278297e-3, 5.5503275245428085e-2,
//!     2.4022650718688965e-1, 6.931471824645996e-1, 1.0
//!     | 4.4549605981865186e-10, 7.072585949269223e-09, 1.0178062445845774e-07, 1.321544258792169e-06,
//!     1.525273382983612e-05, 0.0001540353044173605, 0.0013333558146416936, 0.009618129107606888, 0.0555041086648216,
//!     0.24022650695910097, 0.6931471805599453, 1.0
//! let EXP_POLYNOMIAL =
//!     1.3950486900284886e-3, 8.368889801204205e-3, 4.166620597243309e-2, 1.66665181517601e-1, 0.5
//!     | 2.5100424157005067e-08, 2.7620138719733994e-07, 2.7557268378684192e-06, 2.480152119021773e-05,
//!     0.00019841269863105968, 0.0013888888917281794, 0.008333333333330051, 0.04166666666662399, 0.16666666666666669,
//!     0.5
//! let EXP2_LEAST = -150.0 | -1076.0
//! let EXP2_MOST = 128.0 | 1024.0
//! let EXP_LEAST = -104.0 | -746.0
//! let EXP_MOST = 88.72284 | 709.782712893384
//! let LOG2_E = 1.44269504 | 1.4426950408889634
//! let LN2_HIGH = 0.693359375 | 0.6931471806019545
//! let LN2_LOW = -2.12194440e-4 | -4.2009150726810846e-11

// 2^r for r in [-1/2, 1/2].
T exp2_rest(T r) {
    return POLYNOMIAL(r, EXP2_POLYNOMIAL);
}

T own_exp2(T x) {
    T result;
    if (is_nan(x)) {
        result = x;
    } else if (x >= EXP2_MOST) {
        result = infinity(x);
    } else if (x < EXP2_LEAST) {
        result = 0.0;
    } else {
        T n = own_floor(x + 0.5);
        result = scale_exp2(exp2_rest(x - n), int(n));
    }
    return result;
}

T own_exp(T x) {
    T result;
    if (is_nan(x)) {
        result = x;
    } else if (x > EXP_MOST) {
        result = infinity(x);
    } else if (x < EXP_LEAST) {
        result = 0.0;
    } else {
        T n = own_floor(x * LOG2_E + 0.5);
        // ln 2 in two parts; n times the first is exact.
        T r = x - n * LN2_HIGH - n * LN2_LOW;
        T p = POLYNOMIAL(r, EXP_POLYNOMIAL);
        result = scale_exp2(1.0 + (r + r * r * p), int(n));
    }
    return result;
}
