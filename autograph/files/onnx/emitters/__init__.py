"""How operations are said in ONNX: each function writes the nodes of one."""
