"""The command ``krnlpy``: one module for each thing that it does."""
