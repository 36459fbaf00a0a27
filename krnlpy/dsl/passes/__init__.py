"""Analyses of programs, and rewrites of them."""
