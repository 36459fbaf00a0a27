"""What kernels may call and Python does not have."""
