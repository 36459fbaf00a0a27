// By their bits: compilers may assume that isnan() and isinf() are never true.
bool is_nan(float x) {
    return (floatBitsToUint(x) & 0x7FFFFFFFu) > 0x7F800000u;
}

bool is_inf(float x) {
    return (floatBitsToUint(x) & 0x7FFFFFFFu) == 0x7F800000u;
}
