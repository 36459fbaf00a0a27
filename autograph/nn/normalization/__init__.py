"""Layers that give their input a mean of 0 and a variance of 1, over the batch or within each sample."""
