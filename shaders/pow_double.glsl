//! needs is_nan_double
//! needs exp_double
//! needs log_double
//! needs exact_product_double
//! needs round_double
// x to the power y in double precision, to about 1 ulp, as in pow_float.glsl.

dvec2 product2(dvec2 a, dvec2 b) {
    dvec2 p = exact_product(a.x, b.x);
    double low = p.y + (a.x * b.y + a.y * b.x);
    double high = p.x + low;
    return dvec2(high, low - (high - p.x));
}

// The sum where |a| >= |b| or a = 0.
dvec2 sum2(dvec2 a, dvec2 b) {
    double sum = a.x + b.x;
    double low = b.x - (sum - a.x) + (a.y + b.y);
    double high = sum + low;
    return dvec2(high, low - (high - sum));
}

// log2(x) of a positive finite x, by log((1 + s) / (1 - s)) = 2 (s + s^3/3 + s^5/5 + ...).
dvec2 log2_exact(double x) {
    int k;
    double f = split_exponent(x, k) - 1.0lf;
    double below = 2.0lf + f;
    double s = f / below;
    dvec2 p = exact_product(s, below);
    // What s lacks of the exact quotient; the sum below lost f - (below - 2).
    double lacking = (f - p.x - p.y - s * (f - (below - 2.0lf))) / below;
    dvec2 quotient = sum2(dvec2(s, 0.0lf), dvec2(lacking, 0.0lf));
    dvec2 z = product2(quotient, quotient);
    double tail = 0.11724327060846747lf;
    tail = tail * z.x + 0.11706126464563398lf;
    tail = tail * z.x + 0.1333480879881234lf;
    tail = tail * z.x + 0.1538459488700718lf;
    tail = tail * z.x + 0.18181818336099848lf;
    tail = tail * z.x + 0.22222222221652765lf;
    tail = tail * z.x + 0.2857142857142937lf;
    tail = tail * z.x + 0.4lf;
    dvec2 factor = sum2(dvec2(0.6666666666666666lf, 3.700743415417188e-17lf), dvec2(tail * z.x, 0.0lf));
    dvec2 series = sum2(2.0lf * quotient, product2(product2(quotient, z), factor));
    dvec2 scaled = product2(series, dvec2(1.4426950408889634lf, 2.0355273740931033e-17lf));
    return sum2(dvec2(double(k), 0.0lf), scaled);
}

double power(double x, double y) {
    double base = abs(x);
    bool whole = abs(y) >= 4503599627370496.0lf || own_floor(y) == y;
    bool odd = whole && abs(y) < 9007199254740992.0lf && own_floor(0.5lf * y) != 0.5lf * y;
    bool negative = (unpackDouble2x32(x).y & 0x80000000u) != 0u;
    uvec2 words = unpackDouble2x32(base);
    bool zero = (words.x | words.y) == 0u;
    double result;
    if (y == 0.0lf || x == 1.0lf) {
        result = 1.0lf;
    } else if (is_nan(x) || is_nan(y)) {
        result = not_a_number_f64();
    } else if (is_inf(y)) {
        result = base == 1.0lf ? 1.0lf : base > 1.0lf == y > 0.0lf ? infinity_f64() : 0.0lf;
    } else if (zero || is_inf(base)) {
        result = zero == y < 0.0lf ? infinity_f64() : 0.0lf;
    } else if (negative && !whole) {
        result = not_a_number_f64();
    } else {
        dvec2 exponent = log2_exact(base);
        // An exponent of this size overflows or underflows, unless the base is 1.
        double limited = clamp(y, -36893488147419103232.0lf, 36893488147419103232.0lf);
        dvec2 p = exact_product(limited, exponent.x);
        p.y += limited * exponent.y;
        double n = own_floor(p.x + 0.5lf);
        if (n > 1024.0lf) {
            result = infinity_f64();
        } else if (n < -1077.0lf) {
            result = 0.0lf;
        } else {
            result = scale_exp2(exp2_rest(p.x - n + p.y), int(n));
        }
    }
    return negative && odd ? -result : result;
}
