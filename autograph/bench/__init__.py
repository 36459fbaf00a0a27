"""What `krnlpy bench` measures of tensors, layers and networks. The entry point ``autograph`` names it."""

from .networks import NETWORKS
from .operations import OPERATIONS

BENCHMARKS = (*OPERATIONS, *NETWORKS)
