// Great angles in f64, reduced with as many bits of 2/pi as it takes (Payne and Hanek, SIGNUM 18, 1983).

// Bits of 2/pi behind 64 zeros.
const uint TWO_OVER_PI_BITS[40] = uint[](
    0u, 0u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u, 0xDB629599u, 0x3C439041u,
    0xFE5163ABu, 0xDEBBC561u, 0xB7246E3Au, 0x424DD2E0u, 0x06492EEAu, 0x09D1921Cu, 0xFE1DEB1Cu, 0xB129A73Eu,
    0xE88235F5u, 0x2EBB4484u, 0xE99C7026u, 0xB45F7E41u, 0x3991D639u, 0x835339F4u, 0x9C845F8Bu, 0xBDF9283Bu,
    0x1FF897FFu, 0xDE05980Fu, 0xEF2F118Bu, 0x5A0A6D1Fu, 0x6D367ECFu, 0x27CB09B7u, 0x4F463F66u, 0x9E5FEA2Du,
    0x7527BAC7u, 0xEBE5F17Bu, 0x3D0739F7u, 0x8A5292EAu, 0x6BFB5FB1u, 0x1F8D5D08u, 0x56033046u, 0xFC7B6BABu);

// The rest r of x = n pi/2 + r with r in [-pi/4, pi/4], and n modulo 4; of a finite |x| >= 2^20.
double great_quarter_turns(double angle, out int n) {
    uvec2 x = unpackDouble2x32(angle);
    // |x| = significand * 2^exponent. Bits of 2/pi that make multiples of 4 are left out, the next 192 are taken.
    uint significand_high = x.y & 0xFFFFFu | 0x100000u;
    uint first = (x.y >> 20 & 0x7FFu) - 1013u;  // exponent + 62
    uint word = first >> 5, shift = first & 31u;
    // Their product modulo 2^192, most significant word first.
    uint bits[6], product[6];
    for (uint i = 0u; i < 6u; ++i) {
        bits[i] = TWO_OVER_PI_BITS[word + i] << shift;
        if (shift != 0u) bits[i] |= TWO_OVER_PI_BITS[word + i + 1u] >> 32u - shift;
    }
    uint high, low, carry, carry2, carried = 0u;
    for (int i = 5; i >= 0; --i) {
        umulExtended(x.x, bits[i], high, low);
        product[i] = uaddCarry(low, carried, carry);
        carried = high + carry;
    }
    carried = 0u;
    for (int i = 5; i >= 1; --i) {
        umulExtended(significand_high, bits[i], high, low);
        low = uaddCarry(low, carried, carry);
        product[i - 1] = uaddCarry(product[i - 1], low, carry2);
        carried = high + carry + carry2;
    }
    // The top 2 bits are n, below them is the fraction.
    n = int(product[0] >> 30);
    bool above = (product[0] & 0x20000000u) != 0u;  // more than 1/2: the next quarter turn, and a negative rest
    if (above) n += 1;
    double fraction = 0.0lf;
    for (int i = 4; i >= 0; --i) {
        uint part = product[i] << 2 | product[i + 1] >> 30;
        fraction = (fraction + double(above ? ~part : part)) * 2.3283064365386963e-10lf;
    }
    bool negative = angle < 0.0lf;
    if (negative) n = -n;
    return (above != negative ? -fraction : fraction) * 1.5707963267948966lf;
}
