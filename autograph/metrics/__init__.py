"""How good predictions are, over many batches: metrics that add up on the device until they are asked for."""

from .averages import R2, Mean, MeanAbsoluteError, MeanSquaredError, Perplexity
from .classification import F1, Accuracy, ConfusionMatrix, Precision, Recall, TopKAccuracy
from .metric import Metric
from .ranking import AUROC, auroc

__all__ = [
    "AUROC",
    "F1",
    "R2",
    "Accuracy",
    "ConfusionMatrix",
    "Mean",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "Perplexity",
    "Precision",
    "Recall",
    "TopKAccuracy",
    "auroc",
]
