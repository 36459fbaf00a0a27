"""How far predictions are from what they should be: losses, as numbers to train by, and the share that is right."""

from .binary import binary_cross_entropy, binary_cross_entropy_with_logits, focal_loss
from .cross_entropy import cross_entropy_loss, nll_loss
from .ctc import ctc_loss
from .distances import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from .likelihoods import gaussian_nll_loss, kl_divergence, poisson_nll_loss
from .similarity import (
    cosine_embedding_loss,
    cosine_similarity,
    hinge_embedding_loss,
    hinge_loss,
    triplet_margin_loss,
)

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy_loss",
    "ctc_loss",
    "focal_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "hinge_loss",
    "huber_loss",
    "kl_divergence",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "triplet_margin_loss",
]
