"""Elements by their places: reading and changing what indices, slices, masks and tensors of indices select."""
