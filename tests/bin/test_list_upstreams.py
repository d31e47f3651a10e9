"""What can be named as an upstream, in lines to search."""

from __future__ import annotations

import pytest

from ser.bin import list_upstreams as module
from ser.errors import ConfigError


def test_every_kind_of_upstream_is_listed_with_its_ready_files(capsys):
    module.main([])
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert {
        "byol_s",
        "egemaps",
        "hf:OWNER/NAME",
        "hf:openai/whisper-base",
        "wavlm_large",
        "hubert_local",
    } <= told.keys()
    assert told["byol_s"].endswith("; conf/features: byol_s, byol_s_frames")
    assert not [name for name in told if name.endswith(("_custom", "_url"))]  # they need what no feature has
    assert told["hf:openai/whisper-base"] == "on the Hugging Face hub; conf/features: whisper_base"


def test_a_word_chooses_lines(capsys, monkeypatch):
    monkeypatch.setattr(module, "lines", lambda: iter(["wavlm_base s3prl's", "hf:openai/whisper-base the hub"]))
    module.main(["Whisper"])
    assert capsys.readouterr().out == "hf:openai/whisper-base the hub\n"
    for word in ("wisper", "whisper-bass"):
        with pytest.raises(
            ConfigError, match=rf"no upstream has '{word}' in its line; did you mean '.*whisper.*'\?$"
        ):
            module.main([word])
    with pytest.raises(ConfigError, match="no upstream has 'nothing like this' in its line; list all without a word"):
        module.main(["nothing like this"])
