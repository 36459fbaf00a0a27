"""Kernels that read a row several times while it is in a cache: softmax, norms, and their gradients."""
