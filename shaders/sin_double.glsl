//! needs constants_double
//! needs round_double
// sin and cos in double precision to about 2 ulp and tan to 4 for every argument. Great arguments are reduced with
// as many bits of 2/pi as it takes (Payne and Hanek, SIGNUM 18, 1983).
// Polynomials are near-minimax: interpolated at Chebyshev nodes in 60 digits, for this file.

// Bits of 2/pi behind 64 zeros.
const uint TWO_OVER_PI_BITS[40] = uint[](
    0u, 0u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u, 0xDB629599u, 0x3C439041u,
    0xFE5163ABu, 0xDEBBC561u, 0xB7246E3Au, 0x424DD2E0u, 0x06492EEAu, 0x09D1921Cu, 0xFE1DEB1Cu, 0xB129A73Eu,
    0xE88235F5u, 0x2EBB4484u, 0xE99C7026u, 0xB45F7E41u, 0x3991D639u, 0x835339F4u, 0x9C845F8Bu, 0xBDF9283Bu,
    0x1FF897FFu, 0xDE05980Fu, 0xEF2F118Bu, 0x5A0A6D1Fu, 0x6D367ECFu, 0x27CB09B7u, 0x4F463F66u, 0x9E5FEA2Du,
    0x7527BAC7u, 0xEBE5F17Bu, 0x3D0739F7u, 0x8A5292EAu, 0x6BFB5FB1u, 0x1F8D5D08u, 0x56033046u, 0xFC7B6BABu);

// The rest r of |x| = n pi/2 + r with r in [-pi/4, pi/4], and n modulo 4; of a finite |x| >= 2^20.
double great_quarter_turns(uvec2 x, out int n) {
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
    return (above ? -fraction : fraction) * 1.5707963267948966lf;
}

// The rest r of x = n pi/2 + r with r in [-pi/4, pi/4], and n modulo 4; of a finite x.
double quarter_turns(double x, out int n) {
    n = 0;
    double r = x;
    if (abs(x) >= 1048576.0lf) {
        r = great_quarter_turns(unpackDouble2x32(x), n);
        if (x < 0.0lf) {
            r = -r;
            n = -n;
        }
    } else if (abs(x) >= 0.7853981633974483lf) {
        double q = own_floor(x * 0.6366197723675814lf + 0.5lf);
        n = int(q);
        // pi/2 in four parts; q times each of the first three is exact.
        r = x - q * 1.5707963267341256lf - q * 6.077100506303966e-11lf;
        r = r - q * 2.0222662487111665e-21lf - q * 8.4784276603689e-32lf;
    }
    return r;
}

double sin_rest(double r) {
    double z = r * r;
    double p = 1.5917848524808262e-10lf;
    p = p * z - 2.5051127944014188e-08lf;
    p = p * z + 2.755731608381636e-06lf;
    p = p * z - 0.00019841269836722418lf;
    p = p * z + 0.008333333333330925lf;
    p = p * z - 0.16666666666666666lf;
    return abs(r) < 1.0e-8lf ? r : r + r * z * p;  // -0 too
}

double cos_rest(double r) {
    double z = r * r;
    double p = -1.1382456778061306e-11lf;
    p = p * z + 2.0876143827993133e-09lf;
    p = p * z - 2.7557317260008837e-07lf;
    p = p * z + 2.480158729874307e-05lf;
    p = p * z - 0.0013888888888887382lf;
    p = p * z + 0.041666666666666664lf;
    double high = 1.0lf - 0.5lf * z;
    return high + (1.0lf - high - 0.5lf * z + z * z * p);
}

// sin(x + turn pi/2)
double sin_turned(double x, int turn) {
    double result = not_a_number_f64();
    if ((unpackDouble2x32(x).y & 0x7FF00000u) != 0x7FF00000u) {  // finite
        int n;
        double r = quarter_turns(x, n);
        n += turn;
        result = (n & 1) == 0 ? sin_rest(r) : cos_rest(r);
        if ((n & 2) != 0) result = -result;
    }
    return result;
}

double own_sin(double x) {
    return sin_turned(x, 0);
}

double own_cos(double x) {
    return sin_turned(x, 1);
}

double own_tan(double x) {
    return own_sin(x) / own_cos(x);
}
