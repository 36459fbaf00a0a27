//! needs exact_product of T
//! needs divide of T
//! needs round_T
// floor(a / b) with a / b as if correctly rounded: a device may return 1.9999999 for 6.0 / 3.0.
T floor_div(T a, T b) {
    T ratio = divide(a, b);
    T quotient = own_floor(ratio);
    // Only just below a whole number: of 1.0 / -1e20 the rest is as great as b too, but for rounding.
    if (ratio != quotient && quotient + T(1) - ratio <= abs(ratio) * T(1e-6)) {
        // The product is nearly a, and rounded by as much as a ratio of millions may be off.
        T product = quotient * b;
        T rest = a - product - exact_product(quotient, b).y;
        if (b > T(0) ? rest >= b : b < T(0) && rest <= b) quotient += T(1);
    }
    return quotient;
}

T floor_mod(T a, T b) {
    return b == T(0) ? not_a_number(b) : a - b * floor_div(a, b);
}
