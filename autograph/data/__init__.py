"""Data sets, and batches of them: read, shuffled, moved to a device and transformed there."""

from . import transforms
from .cifar import Cifar, load_cifar
from .digits import Digits, load_digits
from .idx import read_idx, write_idx
from .iris import Iris, load_iris
from .loading.collation import collate
from .loading.datasets import Subset
from .loading.loader import DataLoader
from .loading.order import batches
from .loading.samplers import BalancedSampler, WeightedSampler
from .loading.splits import random_split, train_test_split
from .mnist import Mnist, load_mnist
from .text import Text, load_text

__all__ = [
    "BalancedSampler",
    "Cifar",
    "DataLoader",
    "Digits",
    "Iris",
    "Mnist",
    "Subset",
    "Text",
    "WeightedSampler",
    "batches",
    "collate",
    "load_cifar",
    "load_digits",
    "load_iris",
    "load_mnist",
    "load_text",
    "random_split",
    "read_idx",
    "train_test_split",
    "transforms",
    "write_idx",
]
