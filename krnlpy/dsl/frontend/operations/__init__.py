"""Calls and operations by kind: which operands they take, and the IR that they become."""
