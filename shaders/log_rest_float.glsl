// log(1 + f) - f in f32. The polynomial for (log(1 + f) - f + f^2/2) / f^3 is a minimax fit, made for this file by
// Lawson's algorithm; the order of the sums is that of Cephes' logf (S. Moshier).
float log_rest(float f) {
    float p = 6.915293053703705e-2;
    p = p * f - 1.1789768189191818e-1;
    p = p * f + 1.1872990429401398e-1;
    p = p * f - 1.2384355813264847e-1;
    p = p * f + 1.4218656718730927e-1;
    p = p * f - 1.6669251024723053e-1;
    p = p * f + 2.0002226531505585e-1;
    p = p * f - 2.4999986588954926e-1;
    p = p * f + 3.333331048488617e-1;
    return f * f * f * p - 0.5 * f * f;
}
