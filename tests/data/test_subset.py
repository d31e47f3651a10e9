"""Some utterances of a data directory: which, and how the result is stamped."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from ser.data.combine import combine_data
from ser.data.data_dir import read_data_dir
from ser.data.maps import read_map
from ser.data.subset import choose, listed, subset_data_dir
from ser.data.validate import validate_data_dir
from ser.errors import ConfigError, DataError
from tests.data.six import IDS, SIX, change, info, write


def test_orders():
    with tempfile.TemporaryDirectory() as folder:
        data = write(Path(folder) / "data", SIX)
        assert choose(data, 2, "first") == ["c-a-1", "c-a-2"]
        assert choose(data, 2, "last") == ["c-b-2", "c-d-1"]
        assert choose(data, 3, "shortest") == ["c-a-2", "c-a-3", "c-b-1"]
        assert choose(data, 1, "shortest", per_speaker=True) == ["c-a-2", "c-b-1", "c-d-1"]
        assert choose(data, 2, "last", per_speaker=True) == ["c-a-2", "c-a-3", "c-b-1", "c-b-2", "c-d-1"]


def test_random_choice_follows_seed_and_id_alone(data, tmp_path):
    choices = [choose(data, 3, seed=seed) for seed in range(20)]
    assert choices[1] == choose(data, 3) == ["c-a-1", "c-a-2", "c-b-2"]  # the same on every machine
    assert {utt for choice in choices for utt in choice} == set(IDS)
    assert all(set(choose(data, 2, seed=seed)) < set(choices[seed]) for seed in range(20))
    less = write(tmp_path / "less", [u for u in SIX if u.utt_id != "c-d-1"])
    assert choose(less, 3) == choices[1]


def test_subset_is_valid_and_stamped(data, tmp_path):
    (data / "feats.scp").write_text("".join(f"{i} ark:{i}\n" for i in IDS))
    assert subset_data_dir(data, choose(data, 2, "first"), tmp_path / "sub", "2 utterances, first") == 2
    sub = tmp_path / "sub"
    assert validate_data_dir(sub) == []
    assert read_data_dir(sub) == SIX[:2]
    assert (sub / "feats.scp").read_text() == "c-a-1 ark:c-a-1\nc-a-2 ark:c-a-2\n"
    assert read_map(sub / "spk2gender") == {"c-a": "f"}
    about = info(sub)
    assert about["release"] == "subset"
    assert about["subset_of"] == {"release": "full", "n_utterances": 6, "how": "2 utterances, first"}
    assert about["emotions"] == {"happy": 1, "sad": 1}
    assert about["utterances_per_speaker"] == {"c-a": 2}
    assert "made_from" not in about  # stage 1 did not make it
    assert info(data)["release"] == "full"


def test_a_subset_without_ratings_has_no_rating_file(data, tmp_path):
    subset_data_dir(data, ["c-d-1"], tmp_path / "sub", "x")
    assert not (tmp_path / "sub/utt2val").exists()


def test_a_subset_of_everything_is_still_full(data, tmp_path):
    subset_data_dir(data, IDS, tmp_path / "sub", "x")
    assert info(tmp_path / "sub")["release"] == "full"


def test_lists(data, tmp_path):
    names = tmp_path / "list"
    names.write_bytes(b"c-b-1 more words\r\n\nc-a-2\n")
    assert listed(data, utt_list=names) == ["c-a-2", "c-b-1"]
    names.write_text("c-b\nc-d f\n")
    assert listed(data, spk_list=names) == ["c-b-1", "c-b-2", "c-d-1"]
    names.write_text("c-b\nc-e\n")
    with pytest.raises(DataError, match=r"1 speakers \(first: c-e\) are not in .*data; take them off the list"):
        listed(data, spk_list=names)
    names.write_text("\n")
    with pytest.raises(DataError, match="names no utterances; expected one id per line"):
        listed(data, utt_list=names)
    with pytest.raises(DataError, match="missing"):
        listed(data, utt_list=tmp_path / "none")


def test_too_many(data):
    with pytest.raises(DataError, match="holds 6 utterances, 7 were asked for; ask for at most 6"):
        choose(data, 7)
    with pytest.raises(ConfigError, match="N: found 0"):
        choose(data, 0)
    assert choose(data, 7, per_speaker=True) == IDS


def test_an_invalid_source_is_refused(data, tmp_path):
    change(data, "utt2emo", b"c-a-2 sad\n", b"")
    with pytest.raises(DataError, match="1 violations, first: .*utt2emo line 6.*try utils/fix_data_dir.sh"):
        subset_data_dir(data, IDS[:1], tmp_path / "sub", "x")
    assert not (tmp_path / "sub").exists()


def test_nothing_but_own_products_is_replaced(data, tmp_path):
    with pytest.raises(ConfigError, match="data': is the source data"):
        subset_data_dir(data, IDS[:1], data.parent / "data" / ".", "x")
    other = write(tmp_path / "other", SIX)
    with pytest.raises(DataError, match="other: is not a subset or combination that was made here"):
        subset_data_dir(data, IDS[:1], other, "x")
    assert read_data_dir(other) == SIX
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(DataError, match="file: is a file, where a folder is needed"):
        combine_data(file, [data])
    assert file.read_text() == "mine"
    for n in (1, 2):  # its own product it does replace
        subset_data_dir(data, IDS[:n], tmp_path / "sub", "x")
    assert len(read_data_dir(tmp_path / "sub")) == 2
