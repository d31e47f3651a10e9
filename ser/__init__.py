"""Cross-corpus speech emotion recognition: models, losses, protocols and their evaluation.

Importing this package loads nothing heavy; the floors of the house are told in README.md.
"""

__version__ = "0.1.0"
