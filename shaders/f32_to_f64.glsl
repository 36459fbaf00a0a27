// Exact. A device may take a denormal f32 for 0, though it is none as an f64.
double f32_to_f64(float x) {
    uint bits = floatBitsToUint(x);
    uint size = bits & 0x7FFFFFFFu;
    double value = double(x);
    if (size < 0x00800000u && size != 0u) {
        value = double(size) * 1.401298464324817e-45lf;  // 2^-149
        if (bits != size) value = -value;
    }
    return value;
}
