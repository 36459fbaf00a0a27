//! needs is_nan_float
// exp and exp2 to 1 ulp. The range is reduced to powers of 2 (Cody and Waite, Software Manual for the Elementary
// Functions, 1980); the polynomials are minimax fits, made for this file by Lawson's algorithm.

// x * 2^n in two steps, so that the result may overflow or be denormal.
float scale_exp2(float x, int n) {
    int first = n >> 1;
    return x * intBitsToFloat(first + 127 << 23) * intBitsToFloat(n - first + 127 << 23);
}

// 2^r for r in [-1/2, 1/2].
float exp2_rest(float r) {
    float p = 1.5475097461603582e-4;
    p = p * r + 1.3400311581790447e-3;
    p = p * r + 9.618008509278297e-3;
    p = p * r + 5.5503275245428085e-2;
    p = p * r + 2.4022650718688965e-1;
    p = p * r + 6.931471824645996e-1;
    return p * r + 1.0;
}

float own_exp2(float x) {
    float result;
    if (is_nan(x)) {
        result = x;
    } else if (x >= 128.0) {
        result = uintBitsToFloat(0x7F800000u);
    } else if (x < -150.0) {
        result = 0.0;
    } else {
        float n = floor(x + 0.5);
        result = scale_exp2(exp2_rest(x - n), int(n));
    }
    return result;
}

float own_exp(float x) {
    float result;
    if (is_nan(x)) {
        result = x;
    } else if (x > 88.72284) {
        result = uintBitsToFloat(0x7F800000u);
    } else if (x < -104.0) {
        result = 0.0;
    } else {
        float n = floor(x * 1.44269504 + 0.5);
        // ln 2 in two parts; n times the first is exact.
        float r = x - n * 0.693359375 - n * -2.12194440e-4;
        float p = 1.3950486900284886e-3;
        p = p * r + 8.368889801204205e-3;
        p = p * r + 4.166620597243309e-2;
        p = p * r + 1.66665181517601e-1;
        p = p * r + 0.5;
        result = scale_exp2(1.0 + (r + r * r * p), int(n));
    }
    return result;
}
