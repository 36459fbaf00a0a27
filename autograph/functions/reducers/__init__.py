"""What reductions compute, without gradients: their passes and kernels; and sums, which gradients need."""
