"""Models that people train, made of public names only, beside PyTorch's."""
