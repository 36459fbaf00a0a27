//! needs exp of T
//! let TANH_POLYNOMIAL =
//!     -5.717025604099035e-3, 2.065056934952736e-2, -5.374349281191826e-2, 1.3331490755081177e-1,
//!     -3.333328366279602e-1
//!     | 6.485163482793113e-06, -3.12011014257974e-05, 9.257116129556769e-05, -0.0002375906496055562,
//!     0.0005896606577757043, -0.0014557754120478055, 0.0035921217511549622, -0.008863235103240878,
//!     0.021869488519008305, -0.05396825396789699, 0.13333333333333042, -0.3333333333333333
//! let TANH_SMALL = 2.0e-4 | 1.0e-8
//! let TANH_GREAT = 9.5 | 20.0
// tanh to about 2 ulp, small arguments too. The polynomials were made for this file: that of f32 is a minimax fit by
// Lawson's algorithm, that of f64 is interpolated at Chebyshev nodes in 60 digits.
T own_tanh(T x) {
    T size = abs(x);
    T result;
    if (is_nan(x) || size < TANH_SMALL) {
        result = x;  // -0 too
    } else if (size < 0.625) {
        T z = x * x;
        T p = POLYNOMIAL(z, TANH_POLYNOMIAL);
        result = x + x * z * p;
    } else {
        result = size > TANH_GREAT ? 1.0 : 1.0 - 2.0 / (own_exp(2.0 * size) + 1.0);
        if (x < 0.0) result = -result;
    }
    return result;
}
