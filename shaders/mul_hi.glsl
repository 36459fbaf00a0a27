// The high half of a product.
uint mul_hi(uint a, uint b) {
    uint high, low;
    umulExtended(a, b, high, low);
    return high;
}
