//! needs bits_T
//! needs round_T
//! needs great_angles_T
// sin and cos to about 2 ulp and tan to 4 for every argument. The polynomials were made for this file: those of f32 are
// minimax fits by Lawson's algorithm, those of f64 are interpolated at Chebyshev nodes in 60 digits.
//! let SIN_POLYNOMIAL =
//!     2.7182370558875846e-6, -1.9839327433146536e-4, 8.333329111337662e-3, -1.666666716337204e-1
//!     | 1.5917848524808262e-10, -2.5051127944014188e-08, 2.755731608381636e-06, -0.00019841269836722418,
//!     0.008333333333330925, -0.16666666666666666
//! let COS_POLYNOMIAL =
//!     2.443772609694861e-5, -1.388736185617745e-3, 4.166664555668831e-2
//!     | -1.1382456778061306e-11, 2.0876143827993133e-09, -2.7557317260008837e-07, 2.480158729874307e-05,
//!     -0.0013888888888887382, 0.041666666666666664
//! let COS_SUM = 1.0 + (z * z * p - 0.5 * z) | high + (1.0 - high - 0.5 * z + z * z * p)
//! let SIN_SMALL = 2.0e-4 | 1.0e-8
//! let GREAT_ANGLE = 1024.0 | 1048576.0
//! let QUARTER_PI = 0.78539816 | 0.7853981633974483
//! let QUARTER_TURNS = 0.63661975 | 0.6366197723675814
//! let HALF_PI_1 = 1.57080078125 | 1.5707963267341256
//! let HALF_PI_2 = -4.454515874385834e-6 | 6.077100506303966e-11
//! let HALF_PI_3 = 6.077272018956137e-11 | 2.0222662487111665e-21
//! let HALF_PI_4 = -1.7151245100058819e-15 | 8.4784276603689e-32

// The rest r of x = n pi/2 + r with r in [-pi/4, pi/4], and n modulo 4; of a finite x.
T quarter_turns(T x, out int n) {
    n = 0;
    T r = x;
    if (abs(x) >= GREAT_ANGLE) {
        r = great_quarter_turns(x, n);
    } else if (abs(x) >= QUARTER_PI) {
        T q = own_floor(x * QUARTER_TURNS + 0.5);
        n = int(q);
        // pi/2 in four parts; q times each of the first three is exact.
        r = x - q * HALF_PI_1 - q * HALF_PI_2;
        r = r - q * HALF_PI_3 - q * HALF_PI_4;
    }
    return r;
}

T sin_rest(T r) {
    T z = r * r;
    T p = POLYNOMIAL(z, SIN_POLYNOMIAL);
    return abs(r) < SIN_SMALL ? r : r + r * z * p;  // -0 too
}

T cos_rest(T r) {
    T z = r * r;
    T p = POLYNOMIAL(z, COS_POLYNOMIAL);
    T high = 1.0 - 0.5 * z;
    return COS_SUM;
}

// sin(x + turn pi/2)
T sin_turned(T x, int turn) {
    T result = not_a_number(x);
    if (!is_nan(x) && !is_inf(x)) {
        int n;
        T r = quarter_turns(x, n);
        n += turn;
        result = (n & 1) == 0 ? sin_rest(r) : cos_rest(r);
        if ((n & 2) != 0) result = -result;
    }
    return result;
}

T own_sin(T x) {
    return sin_turned(x, 0);
}

T own_cos(T x) {
    return sin_turned(x, 1);
}

T own_tan(T x) {
    return own_sin(x) / own_cos(x);
}
