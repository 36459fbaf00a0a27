// Devices' own is right here; round_double.glsl has the one of f64.
float own_floor(float x) {
    return floor(x);
}
