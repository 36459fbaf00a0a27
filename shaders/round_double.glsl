// To whole numbers, by the bits: on CPUs without AVX-512 Mesa's lavapipe takes 1.5 to 1 and loses the sign of zero.
double own_trunc(double x) {
    uvec2 words = unpackDouble2x32(x);
    int exponent = int(words.y >> 20 & 0x7FFu) - 1023;
    // How many of the 52 bits of the significand are a fraction; none of infinities and NaN.
    int fraction = clamp(52 - exponent, 0, 52);
    uint low = fraction < 32 ? words.x & 0xFFFFFFFFu << (fraction & 31) : 0u;
    uint high = words.y & 0xFFFFFFFFu << max(fraction - 32, 0);
    return packDouble2x32(exponent < 0 ? uvec2(0u, words.y & 0x80000000u) : uvec2(low, high));
}

double own_floor(double x) {
    double whole = own_trunc(x);
    return x < whole ? whole - 1.0lf : whole;
}

double own_ceil(double x) {
    double whole = own_trunc(x);
    return x > whole ? whole + 1.0lf : whole;
}

// The nearest whole number, of two the even one.
double own_rint(double x) {
    double whole = own_trunc(x);
    double half_of_it = 0.5lf * whole;
    double rest = abs(x - whole);
    bool away = rest > 0.5lf || (rest == 0.5lf && own_trunc(half_of_it) != half_of_it);
    return away ? whole + (x < 0.0lf ? -1.0lf : 1.0lf) : whole;
}
