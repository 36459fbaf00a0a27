//! needs is_nan_double
//! needs constants_double
//! needs round_double
// exp and exp2 in double precision to about 1 ulp, as in exp_float.glsl.
// Polynomials are near-minimax: interpolated at Chebyshev nodes in 60 digits, for this file.

// x * 2^n in two steps, so that the result may overflow or be denormal.
double scale_exp2(double x, int n) {
    int first = n >> 1;
    double factor = packDouble2x32(uvec2(0u, uint(first + 1023 << 20)));
    return x * factor * packDouble2x32(uvec2(0u, uint(n - first + 1023 << 20)));
}

// 2^r for r in [-1/2, 1/2].
double exp2_rest(double r) {
    double p = 4.4549605981865186e-10lf;
    p = p * r + 7.072585949269223e-09lf;
    p = p * r + 1.0178062445845774e-07lf;
    p = p * r + 1.321544258792169e-06lf;
    p = p * r + 1.525273382983612e-05lf;
    p = p * r + 0.0001540353044173605lf;
    p = p * r + 0.0013333558146416936lf;
    p = p * r + 0.009618129107606888lf;
    p = p * r + 0.0555041086648216lf;
    p = p * r + 0.24022650695910097lf;
    p = p * r + 0.6931471805599453lf;
    return p * r + 1.0lf;
}

double own_exp2(double x) {
    double result;
    if (is_nan(x)) {
        result = x;
    } else if (x >= 1024.0lf) {
        result = infinity_f64();
    } else if (x < -1076.0lf) {
        result = 0.0lf;
    } else {
        double n = own_floor(x + 0.5lf);
        result = scale_exp2(exp2_rest(x - n), int(n));
    }
    return result;
}

double own_exp(double x) {
    double result;
    if (is_nan(x)) {
        result = x;
    } else if (x > 709.782712893384lf) {
        result = infinity_f64();
    } else if (x < -746.0lf) {
        result = 0.0lf;
    } else {
        double n = own_floor(x * 1.4426950408889634lf + 0.5lf);
        // ln 2 in two parts; n times the first is exact.
        double r = x - n * 0.6931471806019545lf - n * -4.2009150726810846e-11lf;
        double p = 2.5100424157005067e-08lf;
        p = p * r + 2.7620138719733994e-07lf;
        p = p * r + 2.7557268378684192e-06lf;
        p = p * r + 2.480152119021773e-05lf;
        p = p * r + 0.00019841269863105968lf;
        p = p * r + 0.0013888888917281794lf;
        p = p * r + 0.008333333333330051lf;
        p = p * r + 0.04166666666662399lf;
        p = p * r + 0.16666666666666669lf;
        p = p * r + 0.5lf;
        result = scale_exp2(1.0lf + (r + r * r * p), int(n));
    }
    return result;
}
