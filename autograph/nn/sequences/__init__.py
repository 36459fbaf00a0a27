"""Layers of sequences: recurrent ones, attention, positions, and the blocks of transformers."""
