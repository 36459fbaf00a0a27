// Both halves are exact and their sum is rounded once. SwiftShader rounds float(x) twice from 2^31 on.
float u32_to_f32(uint x) {
    return float(x >> 16) * 65536.0 + float(x & 0xFFFFu);
}
