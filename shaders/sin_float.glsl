// sin and cos to about 2 ulp and tan to 4 for every argument. Polynomials are minimax fits, made for this file by
// Lawson's algorithm. Great arguments are reduced with as many bits of 2/pi as it takes (Payne and Hanek, SIGNUM 18,
// 1983).

// Bits of 2/pi behind 32 zeros.
const uint TWO_OVER_PI[8] = uint[](
    0u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u, 0xDB629599u, 0x3C439041u, 0xFE5163ABu);

// The rest r of x = n pi/2 + r with r in [-pi/4, pi/4], and n modulo 4; of the bits of a finite |x| >= 1024.
float great_quarter_turns(uint bits, out int n) {
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

// The rest r of x = n pi/2 + r with r in [-pi/4, pi/4], and n modulo 4; of a finite x.
float quarter_turns(float x, out int n) {
    n = 0;
    float r = x;
    uint bits = floatBitsToUint(x);
    if ((bits & 0x7FFFFFFFu) >= 0x44800000u) {  // |x| >= 1024
        r = great_quarter_turns(bits, n);
    } else if (abs(x) >= 0.78539816) {
        float q = floor(x * 0.63661975 + 0.5);
        n = int(q);
        // pi/2 in four parts; q times each of the first three is exact.
        r = x - q * 1.57080078125 - q * -4.454515874385834e-6;
        r = r - q * 6.077272018956137e-11 - q * -1.7151245100058819e-15;
    }
    return r;
}

float sin_rest(float r) {
    float z = r * r;
    float p = 2.7182370558875846e-6;
    p = p * z - 1.9839327433146536e-4;
    p = p * z + 8.333329111337662e-3;
    p = p * z - 1.666666716337204e-1;
    return abs(r) < 2.0e-4 ? r : r + r * z * p;  // -0 too
}

float cos_rest(float r) {
    float z = r * r;
    float p = 2.443772609694861e-5;
    p = p * z - 1.388736185617745e-3;
    p = p * z + 4.166664555668831e-2;
    return 1.0 + (z * z * p - 0.5 * z);
}

// sin(x + turn pi/2)
float sin_turned(float x, int turn) {
    float result = uintBitsToFloat(0x7FC00000u);
    if ((floatBitsToUint(x) & 0x7F800000u) != 0x7F800000u) {  // finite
        int n;
        float r = quarter_turns(x, n);
        n += turn;
        result = (n & 1) == 0 ? sin_rest(r) : cos_rest(r);
        if ((n & 2) != 0) result = -result;
    }
    return result;
}

float own_sin(float x) {
    return sin_turned(x, 0);
}

float own_cos(float x) {
    return sin_turned(x, 1);
}

float own_tan(float x) {
    return own_sin(x) / own_cos(x);
}
