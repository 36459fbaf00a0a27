"""What a tensor is; Tensor, whose methods are the functions; the parameter, which is trained."""
