"""Full releases, parsed once for all protocols."""

from __future__ import annotations

from pathlib import Path

import pytest

from ser.corpora import CORPORA
from tests.fakes import emodb, iemocap, msp_improv, ravdess, savee, urdu
from tests.splits.protocols.several import WRITE_RELEASE, Data


@pytest.fixture(scope="package")
def full(tmp_path_factory) -> Data:
    """Parse full releases of empty files, with the names and labels of the real ones, or at least their counts."""

    def touch(path: Path, *_: object, **__: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    with pytest.MonkeyPatch.context() as patch:
        for fake in (emodb, iemocap, msp_improv, ravdess, savee, urdu):
            patch.setattr(fake, "write_wav", touch)
        root = tmp_path_factory.mktemp("releases")
        return {
            name: sorted(CORPORA[name].parse(write(root / name)).utterances, key=lambda u: u.utt_id)
            for name, write in WRITE_RELEASE.items()
        }
