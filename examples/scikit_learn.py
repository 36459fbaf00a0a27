"""scikit-learn on autograph's tensors: what is written for the array API standard computes where the tensors lie.

Iris flowers are told apart: measures are standardized, neighbours in the plane of similarity counted, and a logistic
regression fitted, whose loss and gradient are computed by autograph.

    python examples/scikit_learn.py [--device DEVICE]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from autograph import Tensor
from autograph import array_api as xp
from autograph.data import load_iris
from examples._needs import require
from krnlpy import Device


def classify(x: Any, y: Any) -> tuple[float, Any]:
    """The share of flowers that a model tells right, and their similarities: of tensors, or of NumPy's arrays."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score
    from sklearn.metrics.pairwise import cosine_similarity
    from sklearn.preprocessing import StandardScaler

    standardized = StandardScaler().fit_transform(x)
    model = LogisticRegression(solver="lbfgs").fit(standardized, y)
    return float(accuracy_score(y, model.predict(standardized))), cosine_similarity(standardized)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="host", help="an index, a part of a name, host or interpreter")
    name = parser.parse_args().device
    device = Device(int(name) if name.isdecimal() else name)
    require("sklearn")
    os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported
    from sklearn import config_context

    iris = load_iris()
    measures, kinds = iris.features, iris.classes
    with config_context(array_api_dispatch=True):
        right, similarity = classify(xp.asarray(measures, device=device), xp.asarray(kinds, device=device))
    assert isinstance(similarity, Tensor) and similarity.device == device
    expected, of_arrays = classify(measures, kinds)
    off = abs(similarity.numpy() - of_arrays).max()
    print(f"{right:.1%} right on {device.name}, {expected:.1%} by NumPy; similarities differ by at most {off:.1e}")


if __name__ == "__main__":
    main()
