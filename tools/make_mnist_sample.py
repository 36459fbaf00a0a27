"""Make the sample of MNIST that the package carries: ``make_mnist_sample.py FOLDER``, with the four files of MNIST.

Each class has its share of the whole set, to the nearest image, and of each class the images are drawn at even
distances over the set, for its order is not random (the test set's first half is the easier one). Making it again
gives the same files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autograph.data import load_mnist, write_idx

SIZES = {"train": 5_000, "t10k": 1_000}
TARGET = Path(__file__).parent.parent / "autograph" / "data" / "samples" / "mnist-sample"


def draw(classes: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.intp]:
    """Return ``size`` indices in ascending order, evenly drawn of each class in proportion to its number."""
    counts = np.bincount(classes)
    shares = counts * size / len(classes)
    taken = np.floor(shares).astype(np.intp)
    taken[np.argsort(taken - shares, kind="stable")[: size - taken.sum()]] += 1
    drawn = []
    for label, (count, take) in enumerate(zip(counts, taken, strict=True)):
        drawn.append(np.flatnonzero(classes == label)[(np.arange(take) * 2 + 1) * count // (2 * take)])
    return np.sort(np.concatenate(drawn))


def main() -> None:
    """Write the four files of the sample."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    mnist = load_mnist("mnist", sys.argv[1], download=False)
    whole = {"train": (mnist.train_images, mnist.train_classes), "t10k": (mnist.test_images, mnist.test_classes)}
    TARGET.mkdir(parents=True, exist_ok=True)
    for part, (images, classes) in whole.items():
        indices = draw(classes, SIZES[part])
        write_idx(TARGET / f"{part}-images-idx3-ubyte.gz", images[indices, 0])
        write_idx(TARGET / f"{part}-labels-idx1-ubyte.gz", classes[indices])
        print(f"{part}: {len(indices)} of {len(classes)}, classes {np.bincount(classes[indices]).tolist()}")


if __name__ == "__main__":
    main()
