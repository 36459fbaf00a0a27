"""Transforms of batches on their device, seeded: crops, flips, rotations, erased parts, mixtures.

Each is a function of a batch: of images ``[n, c, h, w]``, or of a tuple whose first item they are. Those that draw at
random take a :class:`autograph.random.Generator` besides, which a loader gives them; what they draw is the same on
every device.
"""

from .compose import Compose
from .geometry import RandomAffine, RandomHorizontalFlip, RandomRotation, RandomVerticalFlip
from .mixtures import CutMix, MixUp
from .values import ChannelsFirst, Normalize, OneHot, ScaleBytes
from .windows import CenterCrop, Cutout, RandomCrop, RandomErasing

__all__ = [
    "CenterCrop",
    "ChannelsFirst",
    "Compose",
    "CutMix",
    "Cutout",
    "MixUp",
    "Normalize",
    "OneHot",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomRotation",
    "RandomVerticalFlip",
    "ScaleBytes",
]
