"""The types of the language: annotations of parameters, vectors, matrices and structs."""
