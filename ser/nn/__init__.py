"""Layers and networks that methods share."""

from ser.nn.embedding_classifier import EmbeddingClassifier

__all__ = ["EmbeddingClassifier"]
