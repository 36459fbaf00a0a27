double infinity_f64() {
    return packDouble2x32(uvec2(0u, 0x7FF00000u));
}

double not_a_number_f64() {
    return packDouble2x32(uvec2(0u, 0x7FF80000u));
}
