"""Attention: weighted means of values, whose weights are the shares of products of queries and keys."""
