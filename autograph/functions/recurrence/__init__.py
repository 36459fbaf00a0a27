"""Recurrences: states that are computed from the state before them, step by step, and their gradients through time."""
