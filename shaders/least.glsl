// GLSL's min and max, for SwiftShader's compiler: it errs where it finds both numbers to be constants.
T least(T a, T b) {
    return b < a ? b : a;
}

T greatest(T a, T b) {
    return b > a ? b : a;
}
