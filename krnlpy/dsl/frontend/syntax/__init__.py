"""Statements, expressions and functions of Python's syntax tree as IR."""
