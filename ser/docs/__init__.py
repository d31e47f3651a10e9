"""Parts of docs/ that are written by code, between two comments of a page: definitions, settings, command lines.

A page says `<!-- generated: NAME -->` and `<!-- end -->` around what `parts` writes there; a test holds the committed
pages against it. Not here: what people write.
"""
