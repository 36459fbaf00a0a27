"""ONNX's operators, made of autograph's functions."""
