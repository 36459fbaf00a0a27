"""Data sets as NumPy arrays, and the order in which training reads them."""

from .idx import read_idx, write_idx
from .iris import Iris, load_iris
from .loader import batches
from .mnist import Mnist, load_mnist

__all__ = ["Iris", "Mnist", "batches", "load_iris", "load_mnist", "read_idx", "write_idx"]
