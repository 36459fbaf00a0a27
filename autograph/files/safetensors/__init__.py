"""Tensors exchanged with other libraries: safetensors files, and the names and layouts that PyTorch has for layers."""
