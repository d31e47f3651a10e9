"""Cross-corpus speech emotion recognition: models, losses, protocols and their evaluation.

Importing this package loads nothing heavy; docs/code.md describes the rooms.
"""

__version__ = "0.1.0"
