// Division and remainder that are 0 where the divisor is 0.
T floor_div(T a, T b) {
    if (b == T(0)) return T(0);
    return a / b;
}

T floor_mod(T a, T b) {
    if (b == T(0)) return T(0);
    return a % b;
}
