"""Normalization and alignment of corpora before a method sees them: one file each, found by its name, see `base`."""
