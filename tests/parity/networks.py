"""Layers, losses and optimizers beside PyTorch's: a line for each, in their own words.

To add one is to add a line: our expression, PyTorch's, and what it takes. `training.py` says what is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

RANDOM = np.random.default_rng(14)


def _numbers(*shape: int, low: float = -2, high: float = 2) -> Any:
    return RANDOM.uniform(low, high, shape).astype(np.float32)


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        ours, theirs: expressions, of names of autograph and of ``torch.nn``, its ``functional`` or ``torch.optim``.
        takes: the shape of a layer's input, or how many classes its whole numbers have; the names of a loss's
            arguments; the rate of an optimizer.
        terms: of the longest sum, forward or backward: of what decides how far two results may be apart.
        reason: what else decides it.
    """

    ours: str
    theirs: str
    takes: Any
    terms: int = 8
    reason: str = ""


LAYERS = [
    Line("Dense(7, 5, bias=True)", "Linear(7, 5)", (6, 7)),
    Line("Dense(7, 5)", "Linear(7, 5, bias=False)", (2, 3, 7)),
    Line("Conv1(3, 4, 3, padding=1, bias=True)", "Conv1d(3, 4, 3, padding=1)", (2, 3, 9), 36),
    Line("Conv2(2, 4, 3, bias=True)", "Conv2d(2, 4, 3)", (2, 2, 7, 6), 40),
    Line("Conv2(4, 6, 3, stride=2, groups=2)", "Conv2d(4, 6, 3, stride=2, groups=2, bias=False)", (2, 4, 7, 6), 40),
    Line("Conv2(4, 4, 3, padding=1, groups=4)", "Conv2d(4, 4, 3, padding=1, groups=4, bias=False)", (2, 4, 5, 6), 60),
    Line("Conv3(2, 3, 2, bias=True)", "Conv3d(2, 3, 2)", (2, 2, 4, 3, 5), 48),
    Line("ConvTranspose1(3, 4, 3, stride=2, bias=True)", "ConvTranspose1d(3, 4, 3, stride=2)", (2, 3, 5), 22),
    Line("ConvTranspose2(3, 2, 3, stride=2, bias=True)", "ConvTranspose2d(3, 2, 3, stride=2)", (2, 3, 3, 4), 126),
    Line("ConvTranspose3(2, 2, 2, bias=True)", "ConvTranspose3d(2, 2, 2)", (2, 2, 3, 2, 3), 96),
    Line("MaxPool1(3, 2)", "MaxPool1d(3, 2)", (2, 3, 9), 2),
    Line("MaxPool2(2)", "MaxPool2d(2)", (2, 3, 6, 6), 2),
    Line("MaxPool3(2)", "MaxPool3d(2)", (2, 2, 4, 4, 4), 2),
    Line("AvgPool1(3, 2)", "AvgPool1d(3, 2)", (2, 3, 9)),
    Line("AvgPool2(2, 1, padding=1)", "AvgPool2d(2, 1, padding=1)", (2, 3, 5, 6)),
    Line("AvgPool3(2)", "AvgPool3d(2)", (2, 2, 4, 4, 4)),
    Line("AdaptiveAvgPool1(4)", "AdaptiveAvgPool1d(4)", (2, 3, 9)),
    Line("AdaptiveAvgPool2((2, 3))", "AdaptiveAvgPool2d((2, 3))", (2, 3, 5, 7), 12),
    Line("AdaptiveAvgPool3(2)", "AdaptiveAvgPool3d(2)", (2, 2, 3, 4, 5), 18),
    Line("AdaptiveMaxPool1(4)", "AdaptiveMaxPool1d(4)", (2, 3, 9), 2),
    Line("AdaptiveMaxPool2((2, 3))", "AdaptiveMaxPool2d((2, 3))", (2, 3, 5, 7), 2),
    Line("AdaptiveMaxPool3(2)", "AdaptiveMaxPool3d(2)", (2, 2, 3, 4, 5), 2),
    Line("Upsample(scale=2)", "Upsample(scale_factor=2)", (2, 3, 4, 5), 4),
    Line("Upsample(scale=2, mode='linear')", "Upsample(scale_factor=2, mode='bilinear')", (2, 3, 4, 5), 16),
    Line("PixelShuffle(2)", "PixelShuffle(2)", (2, 8, 3, 4), 1),
    Line("PixelUnshuffle(2)", "PixelUnshuffle(2)", (2, 3, 4, 6), 1),
    Line("Flatten()", "Flatten()", (3, 2, 4), 1),
    Line("Unflatten(1, (2, 3))", "Unflatten(1, (2, 3))", (4, 6), 1),
    Line("Identity()", "Identity()", (3, 4), 1),
    Line("Embedding(9, 4)", "Embedding(9, 4)", 9, 10),
    Line("BatchNorm1(4)", "BatchNorm1d(4)", (6, 4), 12),
    Line("BatchNorm1(3)", "BatchNorm1d(3)", (4, 3, 5), 40),
    Line("BatchNorm2(3)", "BatchNorm2d(3)", (3, 3, 4, 5), 120),
    Line("BatchNorm3(2)", "BatchNorm3d(2)", (2, 2, 3, 2, 4), 96),
    Line("LayerNorm(6)", "LayerNorm(6)", (5, 6), 12),
    Line("LayerNorm((3, 4))", "LayerNorm((3, 4))", (5, 3, 4), 24),
    Line("RMSNorm(6)", "RMSNorm(6, eps=1e-5)", (5, 6), 12),
    Line("GroupNorm(2, 4)", "GroupNorm(2, 4)", (3, 4, 5), 20),
    Line("InstanceNorm1(3)", "InstanceNorm1d(3)", (2, 3, 8), 16),
    Line("InstanceNorm2(3, affine=True)", "InstanceNorm2d(3, affine=True)", (2, 3, 4, 5), 40),
    Line("InstanceNorm3(2)", "InstanceNorm3d(2)", (2, 2, 3, 2, 4), 48),
    Line("Dropout(0.3).eval()", "Dropout(0.3).eval()", (3, 4), 1),
    Line("AlphaDropout(0.3).eval()", "AlphaDropout(0.3).eval()", (3, 4), 1),
    Line("Dropout2(0.3).eval()", "Dropout2d(0.3).eval()", (3, 4, 2, 2), 1),
    Line("Relu()", "ReLU()", (5, 6), 1),
    Line("LeakyRelu(0.1)", "LeakyReLU(0.1)", (5, 6), 1),
    Line("PRelu(3)", "PReLU(3)", (4, 3, 5), 20),
    Line("Relu6()", "ReLU6()", (5, 6), 1),
    Line("Elu(0.5)", "ELU(0.5)", (5, 6)),
    Line("Celu(0.5)", "CELU(0.5)", (5, 6)),
    Line("Selu()", "SELU()", (5, 6)),
    Line("Gelu()", "GELU()", (5, 6), 8, "erf to 4 ulp"),
    Line("Gelu('tanh')", "GELU('tanh')", (5, 6)),
    Line("Silu()", "SiLU()", (5, 6)),
    Line("Mish()", "Mish()", (5, 6)),
    Line("Sigmoid()", "Sigmoid()", (5, 6)),
    Line("LogSigmoid()", "LogSigmoid()", (5, 6)),
    Line("Tanh()", "Tanh()", (5, 6)),
    Line("Softplus()", "Softplus()", (5, 6)),
    Line("Softsign()", "Softsign()", (5, 6)),
    Line("HardSigmoid()", "Hardsigmoid()", (5, 6), 2),
    Line("HardSwish()", "Hardswish()", (5, 6), 2),
    Line("HardTanh()", "Hardtanh()", (5, 6), 1),
    Line("Softmax()", "Softmax(-1)", (5, 6), 12),
    Line("LogSoftmax()", "LogSoftmax(-1)", (5, 6), 12),
    Line("RNN(3, 4)", "RNN(3, 4, batch_first=True)", (2, 5, 3), 30, "5 steps"),
    Line("LSTM(3, 4)", "LSTM(3, 4, batch_first=True)", (2, 5, 3), 30, "5 steps"),
    Line(
        "LSTM(3, 4, 2, bidirectional=True)",
        "LSTM(3, 4, 2, batch_first=True, bidirectional=True)",
        (2, 5, 3),
        40,
        "5 steps, 2 layers",
    ),
    Line("GRU(3, 4)", "GRU(3, 4, batch_first=True)", (2, 5, 3), 30, "5 steps"),
    Line("MultiHeadAttention(8, 2)", "MultiheadAttention(8, 2, batch_first=True)", (2, 5, 8), 30),
    Line(
        "TransformerBlock(8, 2, 16)",
        "TransformerEncoderLayer(8, 2, 16, 0, 'gelu', batch_first=True, norm_first=True)",
        (2, 5, 8),
        100,
        "seven layers",
    ),
    Line(
        "TransformerBlock(8, 2, 16, norm_first=False)",
        "TransformerEncoderLayer(8, 2, 16, 0, 'gelu', batch_first=True)",
        (2, 5, 8),
        100,
        "seven layers",
    ),
    Line(
        "Sequential(Conv2(1, 3, 3, bias=True), BatchNorm2(3), Relu(), MaxPool2(2), Flatten(), Dense(12, 5, bias=True))",
        "Sequential(Conv2d(1, 3, 3), BatchNorm2d(3), ReLU(), MaxPool2d(2), Flatten(), Linear(12, 5))",
        (4, 1, 6, 6),
        150,
    ),
]

ARGUMENTS: dict[str, Any] = {
    "x": _numbers(6, 5),
    "y": _numbers(6, 5),
    "z": _numbers(6, 5),
    "p": _numbers(6, 5, low=0.05, high=0.95),
    "v": _numbers(6, 5, low=0.5),
    "t": (_numbers(6, 5) > 0).astype(np.float32),
    "q": RANDOM.dirichlet(np.ones(5), 6).astype(np.float32),
    "n": RANDOM.poisson(3, (6, 5)).astype(np.float32),
    "s": np.sign(_numbers(6)).astype(np.float32),
    "signs": np.sign(_numbers(6, 5)).astype(np.float32),
    "c": RANDOM.integers(0, 5, 6),
    "weight": _numbers(5, low=0.5),
    "images": _numbers(2, 5, 3, 4),
    "labels": RANDOM.integers(0, 5, (2, 3, 4)),
    "frames": _numbers(8, 2, 5),
    "texts": RANDOM.integers(1, 5, (2, 3)),
}
"""What losses take, by name. The first one that an expression names is what is trained."""

LOSSES = [
    Line("cross_entropy_loss(x, c)", "cross_entropy(x, c)", "x c", 12),
    Line("cross_entropy_loss(x, c, weight=weight)", "cross_entropy(x, c, weight=weight)", "x c weight", 12),
    Line("cross_entropy_loss(x, c, ignore_index=1)", "cross_entropy(x, c, ignore_index=1)", "x c", 12),
    Line("cross_entropy_loss(x, c, label_smoothing=0.1)", "cross_entropy(x, c, label_smoothing=0.1)", "x c", 12),
    Line("cross_entropy_loss(x, q)", "cross_entropy(x, q)", "x q", 12),
    Line("cross_entropy_loss(images, labels)", "cross_entropy(images, labels)", "images labels", 30),
    Line("nll_loss(log_softmax(x, 1), c)", "nll_loss(log_softmax(x, 1), c)", "x c", 12),
    Line("mse_loss(x, y)", "mse_loss(x, y)", "x y", 30),
    Line("l1_loss(x, y)", "l1_loss(x, y)", "x y", 30),
    Line("huber_loss(x, y, delta=0.5)", "huber_loss(x, y, delta=0.5)", "x y", 30),
    Line("smooth_l1_loss(x, y, beta=0.5)", "smooth_l1_loss(x, y, beta=0.5)", "x y", 30),
    Line("binary_cross_entropy(sigmoid(x), t)", "binary_cross_entropy(sigmoid(x), t)", "x t", 30),
    Line("binary_cross_entropy_with_logits(x, t)", "binary_cross_entropy_with_logits(x, t)", "x t", 30),
    Line(
        "binary_cross_entropy_with_logits(x, t, pos_weight=weight)",
        "binary_cross_entropy_with_logits(x, t, pos_weight=weight)",
        "x t weight",
        30,
    ),
    Line(
        "focal_loss(x, t, alpha=None)",
        "(binary_cross_entropy_with_logits(x, t, reduction='none') * (t - sigmoid(x)) ** 2).mean()",
        "x t",
        30,
    ),
    Line("kl_divergence(log_softmax(x, 1), q)", "kl_div(log_softmax(x, 1), q, reduction='batchmean')", "x q", 30),
    Line("cosine_embedding_loss(x, y, s)", "cosine_embedding_loss(x, y, s)", "x y s", 20),
    Line("triplet_margin_loss(x, y, z)", "triplet_margin_loss(x, y, z)", "x y z", 20),
    Line("hinge_loss(x, signs)", "relu(1 - x * signs).mean()", "x signs", 30),
    Line("hinge_embedding_loss(x, signs)", "hinge_embedding_loss(x, signs)", "x signs", 30),
    Line("poisson_nll_loss(x, n)", "poisson_nll_loss(x, n)", "x n", 30),
    Line("gaussian_nll_loss(x, y, v)", "gaussian_nll_loss(x, y, v)", "x y v", 30),
    Line(
        "ctc_loss(log_softmax(frames, 2), texts, [8, 6], [3, 2])",
        "ctc_loss(log_softmax(frames, 2), texts, (8, 6), (3, 2))",
        "frames texts",
        60,
        "7 states, 8 frames",
    ),
]

OPTIMIZERS = [
    Line("SGD()", "SGD(w, lr=0.05)", 0.05),
    Line("SGD(0.9, weight_decay=0.01)", "SGD(w, lr=0.05, momentum=0.9, weight_decay=0.01)", 0.05),
    Line("SGD(0.9, nesterov=True)", "SGD(w, lr=0.05, momentum=0.9, nesterov=True)", 0.05),
    Line("Adam()", "Adam(w, lr=0.05)", 0.05),
    Line("AdamW(weight_decay=0.1)", "AdamW(w, lr=0.05, weight_decay=0.1)", 0.05),
    Line("NAdam()", "NAdam(w, lr=0.05)", 0.05),
    Line("RAdam()", "RAdam(w, lr=0.05)", 0.05),
    Line("RMSprop(momentum=0.5)", "RMSprop(w, lr=0.05, momentum=0.5)", 0.05),
    Line("RMSprop()", "RMSprop(w, lr=0.05)", 0.05),
    Line("Adagrad()", "Adagrad(w, lr=0.05)", 0.05),
    Line("Adadelta()", "Adadelta(w, lr=1.0)", 1.0),
    # PyTorch has no Lion and no LAMB, and Muon orthogonalizes in bf16 there: tests/autograph/optim has them.
]

LINES = {"layers": LAYERS, "losses": LOSSES, "optimizers": OPTIMIZERS}
