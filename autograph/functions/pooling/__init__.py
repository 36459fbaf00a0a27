"""What a window makes of its elements: the greatest, the mean; and its gradient."""

from .averages import adaptive_avg_pool1, adaptive_avg_pool2, adaptive_avg_pool3, avg_pool1, avg_pool2, avg_pool3
from .max_pools import adaptive_max_pool1, adaptive_max_pool2, adaptive_max_pool3, max_pool1, max_pool2, max_pool3

__all__ = [
    "adaptive_avg_pool1",
    "adaptive_avg_pool2",
    "adaptive_avg_pool3",
    "adaptive_max_pool1",
    "adaptive_max_pool2",
    "adaptive_max_pool3",
    "avg_pool1",
    "avg_pool2",
    "avg_pool3",
    "max_pool1",
    "max_pool2",
    "max_pool3",
]
