"""Other shapes of the same elements: views, copies, and what puts tensors together or takes them apart."""
