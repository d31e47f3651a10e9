"""One published method per file, in the paper's order and symbols; `base` says what a method is to the rest."""
