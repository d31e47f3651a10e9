"""What a user has to know of an encoder before a table of it is believed or published; it decides no number."""

from __future__ import annotations

from ser.config import ConfigModel


class Facts(ConfigModel):
    """Facts of an encoder, in words (`about:` of `conf/features/*.yaml`).

    Attributes:
        paper: who made it, and when.
        trained_on: its training data, and how much speech that is.
        download: size, and from where.
        license: of the weights.
        contamination: which emotion corpora may be in its training data, and whether their labels are.
    """

    paper: str
    trained_on: str
    download: str
    license: str
    contamination: str
