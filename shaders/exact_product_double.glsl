// As in exact_product_float.glsl.
dvec2 exact_product(double a, double b) {
    double t = a * 134217729.0lf;
    double a_high = t - (t - a), a_low = a - a_high;
    t = b * 134217729.0lf;
    double b_high = t - (t - b), b_low = b - b_high;
    double product = a * b;
    return dvec2(product, a_high * b_high - product + a_high * b_low + a_low * b_high + a_low * b_low);
}
