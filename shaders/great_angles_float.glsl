// Great angles in f32, reduced with as many bits of 2/pi as it takes (Payne and Hanek, SIGNUM 18, 1983).

// Bits of 2/pi behind 32 zeros.
const uint TWO_OVER_PI[8] = uint[](
    0u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u, 0xDB629599u, 0x3C439041u, 0xFE5163ABu);

// The rest r of x = n pi/2 + r with r in [-pi/4, pi/4], and n modulo 4; of a finite |x| >= 1024.
float great_quarter_turns(float x, out int n) {
    uint bits = floatBitsToUint(x);
    // x = significand * 2^exponent. Bits of 2/pi that make multiples of 4 are left out, the next 96 are taken.
    uint significand = bits & 0x7FFFFFu | 0x800000u;
    uint first = (bits >> 23 & 0xFFu) - 120u;  // exponent + 30
    uint word = first >> 5, shift = first & 31u;
    uint a = TWO_OVER_PI[word], b = TWO_OVER_PI[word + 1u], c = TWO_OVER_PI[word + 2u];
    if (shift != 0u) {
        a = a << shift | b >> 32u - shift;
        b = b << shift | c >> 32u - shift;
        c = c << shift | TWO_OVER_PI[word + 3u] >> 32u - shift;
    }
    // The product modulo 2^96: its top 2 bits are n, below them is the fraction.
    uint high, middle, low, carried, carry;
    umulExtended(significand, c, carried, low);
    umulExtended(significand, b, high, middle);
    middle = uaddCarry(middle, carried, carry);
    high += carry + significand * a;
    n = int(high >> 30);
    high = high << 2 | middle >> 30;
    middle = middle << 2 | low >> 30;
    bool above = (high & 0x80000000u) != 0u;  // more than 1/2: the next quarter turn, and a negative rest
    if (above) {
        n += 1;
        high = ~high;
        middle = ~middle;
    }
    int scale = 0;
    if (high == 0u) {
        high = middle;
        middle = 0u;
        scale = 32;
    }
    int zeros = 31 - findMSB(high);
    if (zeros > 0 && zeros < 32) high = high << zeros | middle >> 32 - zeros;
    // pi/2 * 2^-32, times a power of 2
    float r = float(high) * 3.657295198167899e-10 * intBitsToFloat(127 - zeros - scale << 23);
    bool negative = bits >> 31 == 1u;
    if (negative) n = -n;
    return above != negative ? -r : r;
}
