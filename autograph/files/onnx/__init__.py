"""Models exchanged as ONNX: written from a trace of their operations, read as layers."""
