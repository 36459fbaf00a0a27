// By their bits: compilers may assume that isnan() and isinf() are never true.
bool is_nan(double x) {
    uvec2 words = unpackDouble2x32(x);
    uint high = words.y & 0x7FFFFFFFu;
    return high > 0x7FF00000u || (high == 0x7FF00000u && words.x != 0u);
}

bool is_inf(double x) {
    uvec2 words = unpackDouble2x32(x);
    return (words.y & 0x7FFFFFFFu) == 0x7FF00000u && words.x == 0u;
}
