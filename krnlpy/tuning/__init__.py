"""Kernels that choose, by measuring, how they are launched; and what is remembered of it."""
