"""The papers' losses, one per file: embeddings and labels in, a scalar out. Normalizing is the model's affair."""

from ser.losses.center import CenterLoss
from ser.losses.continuous_metric import ContinuousMetricLoss
from ser.losses.cosine_margin import CosineMarginLoss
from ser.losses.emotion_distance import EmotionDistanceLoss
from ser.losses.masked_contrastive import MaskedContrastiveLoss, codebook_diversity
from ser.losses.positive_pair_infonce import PositivePairInfoNCELoss
from ser.losses.siamese_contrastive import SiameseContrastiveLoss

__all__ = [
    "CenterLoss",
    "ContinuousMetricLoss",
    "CosineMarginLoss",
    "EmotionDistanceLoss",
    "MaskedContrastiveLoss",
    "PositivePairInfoNCELoss",
    "SiameseContrastiveLoss",
    "codebook_diversity",
]
