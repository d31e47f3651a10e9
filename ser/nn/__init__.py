"""Layers and networks that methods share."""

from ser.nn.cnn_blstm import CnnBlstm
from ser.nn.denoising_autoencoder import DenoisingAutoencoder
from ser.nn.domain_heads import DomainHeads
from ser.nn.embedding_classifier import EmbeddingClassifier
from ser.nn.grad_reverse import grad_reverse
from ser.nn.self_attention_pooling import SelfAttentionPooling

__all__ = [
    "CnnBlstm",
    "DenoisingAutoencoder",
    "DomainHeads",
    "EmbeddingClassifier",
    "SelfAttentionPooling",
    "grad_reverse",
]
