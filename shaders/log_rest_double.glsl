// log(1 + f) - f in f64: log((1 + s) / (1 - s)) is odd in s. The polynomial is interpolated at Chebyshev nodes in 60
// digits, for this file.
double log_rest(double f) {
    double s = f / (2.0lf + f);
    double z = s * s;
    double p = 0.14617807153417325lf;
    p = p * z + 0.15331611722055008lf;
    p = p * z + 0.1818289243253687lf;
    p = p * z + 0.22222211089379496lf;
    p = p * z + 0.28571428626253836lf;
    p = p * z + 0.3999999999989889lf;
    p = p * z + 0.666666666666667lf;
    double half_square = 0.5lf * f * f;
    return s * (half_square + z * p) - half_square;
}
