// Division and remainder that are 0 where the divisor is 0.
T floor_div(T a, T b) {
    T quotient = T(0);
    if (b != T(0)) quotient = a / b;
    return quotient;
}

T floor_mod(T a, T b) {
    T rest = T(0);
    if (b != T(0)) rest = a % b;
    return rest;
}
