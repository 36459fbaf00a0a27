//! let SPLITTER = 4097.0 | 134217729.0
// A product and what it was rounded by: T. J. Dekker, A floating-point technique for extending the available
// precision, 1971. NaN where a or b is too great to be split.
T2 exact_product(T a, T b) {
    T t = a * SPLITTER;
    T a_high = t - (t - a), a_low = a - a_high;
    t = b * SPLITTER;
    T b_high = t - (t - b), b_low = b - b_high;
    T product = a * b;
    return T2(product, a_high * b_high - product + a_high * b_low + a_low * b_high + a_low * b_low);
}
