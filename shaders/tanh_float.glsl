//! needs exp_float
// tanh to about 2 ulp, small arguments too. The polynomial is a minimax fit, made for this file by Lawson's algorithm.
float own_tanh(float x) {
    float size = abs(x);
    float result;
    if (is_nan(x) || size < 2.0e-4) {
        result = x;  // -0 too
    } else if (size < 0.625) {
        float z = x * x;
        float p = -5.717025604099035e-3;
        p = p * z + 2.065056934952736e-2;
        p = p * z - 5.374349281191826e-2;
        p = p * z + 1.3331490755081177e-1;
        p = p * z - 3.333328366279602e-1;
        result = x + x * z * p;
    } else {
        result = size > 9.5 ? 1.0 : 1.0 - 2.0 / (own_exp(2.0 * size) + 1.0);
        if (x < 0.0) result = -result;
    }
    return result;
}
