"""Small pictures of handwritten digits, which the package carries."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autograph.errors import DatasetError

from .idx import read_idx

_PATH = Path(__file__).parent / "samples" / "digits.gz"
_SHA256 = "68aea062d35a127749050fa0e52dca09d6569ac08092c925610e0954e172dde2"


@dataclass(frozen=True, eq=False)
class Digits:
    """1797 pictures of digits by 13 people.

    Attributes:
        images: u8 of shape ``[1797, 1, 8, 8]``, from 0 to 16.
        classes: u8 of shape ``[1797]``, 0 to 9.

    >>> from autograph.data import load_digits
    >>> digits = load_digits()
    >>> digits.images[0, 0, 2].tolist(), digits.classes[0].item()
    ([0, 3, 15, 2, 0, 11, 8, 0], 0)
    """

    images: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.uint8]


def load_digits() -> Digits:
    """Load the digits of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998: its test set, as scikit-learn's ``load_digits`` has it.

    Each element says how many of 16 points were black.

    Returns:
        New arrays, which may be changed.

    Raises:
        DatasetError: the package's file is missing or was changed.

    >>> from autograph.data import load_digits
    >>> images = load_digits().images
    >>> images.shape, images.max().item()
    ((1797, 1, 8, 8), 16)
    """
    try:
        rows = read_idx(_PATH)
    except DatasetError as error:
        raise DatasetError(f"{error}; this file belongs to autograph: install it again") from None
    digest = hashlib.sha256(rows.tobytes()).hexdigest()
    if digest != _SHA256:
        raise DatasetError(f"{_PATH}, which belongs to autograph, was changed: install it again")
    return Digits(images=rows[:, :64].reshape(-1, 1, 8, 8).copy(), classes=rows[:, 64].copy())
