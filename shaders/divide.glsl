//! needs bits_T
// For divisors that compilers know: Mesa's lavapipe takes x / 0 for 0 there.
T divide(T x, T y) {
    T limit = is_negative(y) ? -infinity(y) : infinity(y);
    return y == 0.0 ? x * limit : x / y;
}
