"""What a tensor is, and the parameter: a tensor that is trained."""
