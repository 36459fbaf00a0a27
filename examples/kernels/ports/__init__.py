"""Well-known kernels of others, ported: each file says whose it is and where it comes from."""
