"""One data directory of several: what is kept, filled, left out or refused."""

from __future__ import annotations

import pytest

from ser.data.combine import combine_data
from ser.data.data_dir import read_data_dir
from ser.data.fix import fix_data_dir
from ser.data.maps import read_map
from ser.data.subset import subset_data_dir
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from tests.data.six import IDS, SIX, change, content, info, utterance, write

OTHER = [
    utterance("x", "1", "e", session="s1", arousal=2.0, emotion_acted="sad"),
    utterance("y", "1", "e", session="s2", emotion_acted="angry", start=1.0, end=2.5),
]


def test_combine_keeps_what_is_there_and_tells_what_is_not(data, tmp_path):
    other = write(tmp_path / "other", OTHER, corpus="e", title="E", licence="research", release="subset")
    notes = combine_data(tmp_path / "both", [data, other])
    both = tmp_path / "both"
    assert validate_data_dir(both) == []
    found = {u.utt_id: u for u in read_data_dir(both)}
    assert sorted(found) == sorted([*IDS, "e-x-1", "e-y-1"])
    assert (found["c-a-1"].valence, found["c-a-1"].arousal, found["c-a-1"].session) == (1.5, None, "c-a")
    assert (found["e-x-1"].valence, found["e-x-1"].arousal, found["e-x-1"].session) == (None, 2.0, "s1")
    assert (found["c-d-1"].emotion_acted, found["e-y-1"].emotion_acted) == ("unknown", "angry")
    assert (found["e-y-1"].start, found["e-y-1"].end) == (1.0, 2.5)
    assert (found["c-a-1"].start, found["c-a-1"].end) == (0.0, 3.0)
    assert (found["c-b-1"].gender, found["e-x-1"].gender) == ("m", "f")
    assert f"utt2emo_acted: {data} has none; its utterances read 'unknown'" in notes
    assert f"segments: {data} has none; its utterances are whole files" in notes
    assert f"utt2session: {data} has none; each of its speakers stands for a session" in notes
    assert f"utt2val: {other} has none" in notes
    about = info(both)
    assert (about["corpus"], about["title"], about["licence"]) == ("both", "C + E", "free; research")
    assert (about["n_utterances"], about["n_speakers"], about["release"]) == (8, 5, "subset")
    assert [(p["corpus"], p["release"], p["n_utterances"]) for p in about["parts"]] == [
        ("c", "full", 6),
        ("e", "subset", 2),
    ]
    assert about["notes"] == notes


@pytest.mark.parametrize(
    ("releases", "expected"),
    [("full full", "own"), ("full mini", "mini"), ("mini subset", "subset"), ("own full", "own")],
)
def test_a_combination_is_as_weak_as_its_weakest_part(tmp_path, releases, expected):
    first, second = releases.split()
    a, b = write(tmp_path / "a", SIX, release=first), write(tmp_path / "b", OTHER, release=second)
    combine_data(tmp_path / "both", [a, b])
    assert info(tmp_path / "both")["release"] == expected


def test_gender_may_be_known_of_some_speakers_only(data, tmp_path):
    other = write(tmp_path / "other", [utterance("x", "1", "e", gender=None)])
    assert f"spk2gender: {other} has none" in combine_data(tmp_path / "both", [data, other])
    assert validate_data_dir(tmp_path / "both") == []
    known = read_map(data / "spk2gender")
    assert {u.speaker: u.gender for u in read_data_dir(tmp_path / "both")} == {**known, "e-x": None}
    change(data, "spk2gender", b"c-d f\n", b"")
    assert fix_data_dir(data).lost == ()


def test_clashes_are_refused(data, tmp_path):
    twin = write(tmp_path / "twin", SIX[2:4])
    with pytest.raises(DataError, match=r"twin and .*data share 2 utterance ids \(first: c-a-3, c-b-1\)"):
        combine_data(tmp_path / "both", [data, twin])
    changed = write(tmp_path / "changed", [utterance("b", "9", gender="f")])
    with pytest.raises(DataError, match="speaker 'c-b' is 'f', in another part 'm'; give one gender"):
        combine_data(tmp_path / "both", [data, changed])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["changed", "data", "twin"]


def test_two_parts_of_one_speaker_make_the_whole_again(data, tmp_path):
    subset_data_dir(data, [IDS[0], IDS[3]], tmp_path / "1", "x")
    subset_data_dir(data, [*IDS[1:3], *IDS[4:]], tmp_path / "2", "x")
    combine_data(tmp_path / "both", [tmp_path / "2", tmp_path / "1"])
    same = [name for name in content(data) if name != "corpus.json"]
    assert {k: content(tmp_path / "both").get(k) for k in same} == {k: content(data)[k] for k in same}
