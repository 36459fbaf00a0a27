"""Derivatives of functions, by forward mode: each variable that changes carries a tangent for each direction."""
