"""Data sets as NumPy arrays, and the order in which training reads them."""

from autograph.dataset.idx import read_idx, write_idx
from autograph.dataset.iris import Iris, load_iris
from autograph.dataset.loader import batches
from autograph.dataset.mnist import Mnist, load_mnist

__all__ = ["Iris", "Mnist", "batches", "load_iris", "load_mnist", "read_idx", "write_idx"]
