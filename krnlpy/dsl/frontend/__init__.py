"""From a Python function to typed IR, in one forward pass over its syntax tree."""
