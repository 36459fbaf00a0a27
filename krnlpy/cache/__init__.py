"""Compiled kernels on disk: the cache, its entries, and the kernels that packages ship."""
