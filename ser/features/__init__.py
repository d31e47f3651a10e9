"""Features: configured (`config`), extracted and kept (`extract`), pooled (`pool`); `shortcut` is the cheapest."""
