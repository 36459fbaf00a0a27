//! needs exp_double
// tanh in double precision to about 2 ulp, small arguments too.
// Polynomials are near-minimax: interpolated at Chebyshev nodes in 60 digits, for this file.
double own_tanh(double x) {
    double size = abs(x);
    double result;
    if (is_nan(x) || size < 1.0e-8lf) {
        result = x;  // -0 too
    } else if (size < 0.625lf) {
        double z = x * x;
        double p = 6.485163482793113e-06lf;
        p = p * z - 3.12011014257974e-05lf;
        p = p * z + 9.257116129556769e-05lf;
        p = p * z - 0.0002375906496055562lf;
        p = p * z + 0.0005896606577757043lf;
        p = p * z - 0.0014557754120478055lf;
        p = p * z + 0.0035921217511549622lf;
        p = p * z - 0.008863235103240878lf;
        p = p * z + 0.021869488519008305lf;
        p = p * z - 0.05396825396789699lf;
        p = p * z + 0.13333333333333042lf;
        p = p * z - 0.3333333333333333lf;
        result = x + x * z * p;
    } else {
        result = size > 20.0lf ? 1.0lf : 1.0lf - 2.0lf / (own_exp(2.0lf * size) + 1.0lf);
        if (x < 0.0lf) result = -result;
    }
    return result;
}
