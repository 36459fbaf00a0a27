"""Convolution (cross-correlation) of signals and images."""
