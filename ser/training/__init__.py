"""Training loops that methods share."""
