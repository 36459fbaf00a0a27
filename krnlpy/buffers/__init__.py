"""Buffers: n-dimensional strided views of a device's memory, and how elements are moved."""
