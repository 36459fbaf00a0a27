// A product and what it was rounded by: T. J. Dekker, A floating-point technique for extending the available
// precision, 1971. NaN where a or b is too great to be split.
vec2 exact_product(float a, float b) {
    float t = a * 4097.0;
    float a_high = t - (t - a), a_low = a - a_high;
    t = b * 4097.0;
    float b_high = t - (t - b), b_low = b - b_high;
    float product = a * b;
    return vec2(product, a_high * b_high - product + a_high * b_low + a_low * b_high + a_low * b_low);
}
