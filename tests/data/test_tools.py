"""Fix, subset, combine: what they keep, what they say, and that they leave all or nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.data.data_dir import check_unchanged, read_data_dir, read_map, validate_data_dir, write_data_dir
from ser.data.tools import choose, combine_data, fix_data_dir, invert, listed, spk2utt_of, subset_data_dir
from ser.errors import ConfigError, DataError
from ser.types import Utterance, ids

UTILS = Path(__file__).parents[2] / "utils"


def utterance(speaker: str, name: str, corpus: str = "c", **fields: object) -> Utterance:
    utt_id, speaker_id = ids(corpus, speaker, name)
    values = {
        "wav": f"/x/{name}.wav",
        "emotion": "happy",
        "emotion_native": "F",
        "gender": "f",
        "language": "de",
        "duration": 1.5,
        "audio_hash": "00ff",
    }
    return Utterance(utt_id, speaker_id, **{**values, **fields})


SIX = [
    utterance("a", "1", valence=1.5, duration=3.0),
    utterance("a", "2", emotion="sad", duration=0.25, wav='/x/l\'été $(touch pwned);`x` "q" & 2.wav'),
    utterance("a", "3", duration=0.5),
    utterance("b", "1", gender="m", valence=-3.0, duration=0.75),
    utterance("b", "2", gender="m", duration=1.0),
    utterance("d", "1", emotion="angry", duration=2.0),
]
IDS = [u.utt_id for u in SIX]


@pytest.fixture
def data(tmp_path):
    return write(tmp_path / "data", SIX)


def write(path: Path, utterances: list[Utterance], **info: object) -> Path:
    about = {"corpus": "c", "title": "C", "licence": "free", "release": "full", "made_from": {"x": 1}}
    write_data_dir(path, utterances, about | info)
    return path


def info(path: Path) -> dict:
    return json.loads((path / "corpus.json").read_text())


def content(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def change(path: Path, name: str, old: bytes, new: bytes) -> None:
    text = (path / name).read_bytes()
    assert old in text
    (path / name).write_bytes(text.replace(old, new))


# ---- fix -------------------------------------------------------------------------------------------------------


def test_fix_leaves_a_valid_directory_alone(data):
    before = content(data)
    fixed = fix_data_dir(data)
    assert (fixed.n_kept, fixed.lost, fixed.report) == (6, (), ())
    assert content(data) == before


def test_fix_accepts_what_was_changed_by_hand(data):
    change(data, "utt2emo", b"c-a-2 sad\n", b"c-a-2 happy\n")
    with pytest.raises(
        DataError, match=r"utt2emo is not what stage 1 wrote; .*; to keep it, call utils/fix_data_dir"
    ):
        check_unchanged(data)
    assert fix_data_dir(data).report == ("utt2emo: is not what stage 1 wrote, and stays as it is",)
    check_unchanged(data)
    assert info(data)["notes"][-1] == "fix_data_dir: utt2emo changed by hand"
    assert read_map(data / "utt2emo")["c-a-2"] == "happy"
    assert fix_data_dir(data).report == ()


def test_audio_may_move(data):
    change(data, "wav.scp", b"/x/1.wav", b"/y/1.wav")
    check_unchanged(data)


def test_fix_intersects_and_tells_what_went_and_why(data):
    change(data, "utt2emo", b"c-a-2 sad\n", b"")
    change(data, "wav.scp", b"c-d-1 /x/1.wav\n", b"")
    (data / "feats.scp").write_text("c-a-2 ark:2\nc-a-1 ark:1\n")
    (data / "notes.txt").write_text("mine")
    former = content(data)
    fixed = fix_data_dir(data)
    assert fixed.lost == ("c-a-2", "c-d-1")
    assert fixed.n_kept == 4
    assert "utt2emo lacks 1 utterances (first: c-a-2)" in fixed.report
    assert "wav.scp lacks 1 utterances (first: c-d-1)" in fixed.report
    assert "utt2dur: 2 of 6 lines (first: c-a-2, c-d-1) went" in fixed.report
    assert "spk2gender: 1 of 3 lines (first: c-d) went" in fixed.report
    assert "spk2utt: rebuilt from utt2spk" in fixed.report
    assert validate_data_dir(data) == []
    assert read_data_dir(data) == [SIX[0], SIX[2], SIX[3], SIX[4]]
    assert read_map(data / "spk2utt") == {"c-a": "c-a-1 c-a-3", "c-b": "c-b-1 c-b-2"}
    assert (data / "feats.scp").read_text() == "c-a-1 ark:1\n"
    assert (data / "notes.txt").read_text() == "mine"
    assert {name.removeprefix(".backup/"): c for name, c in content(data).items() if "/" in name} == former
    assert info(data)["release"] == "subset"
    assert info(data)["n_utterances"] == 4
    assert info(data)["notes"] == ["fix_data_dir: 2 utterances (first: c-a-2, c-d-1) went, see .backup"]
    assert info(data)["licence"] == "free"


def test_ratings_do_not_decide(data):
    change(data, "utt2val", b"c-b-1 -3.0\n", b"c-zz-9 1\n")
    fixed = fix_data_dir(data)
    assert fixed.lost == ()
    assert fixed.report == ("utt2val: 1 of 2 lines (first: c-zz-9) went",)
    assert read_map(data / "utt2val") == {"c-a-1": "1.5"}
    assert info(data)["release"] == "full"  # nothing was lost


def test_fix_removes_a_rating_file_of_which_nothing_is_left(data):
    (data / "utt2val").write_text("c-zz-9 1\n")
    assert "utt2val: removed, nothing is left in it" in fix_data_dir(data).report
    assert not (data / "utt2val").exists()


FORM = {
    "unsorted": (lambda text: b"".join(reversed(text.splitlines(keepends=True))), "lines and order put right"),
    "no final newline": (lambda text: text.removesuffix(b"\n"), "lines and order put right"),
    "CRLF": (lambda text: text.replace(b"\n", b"\r\n"), "lines and order put right"),
    "tabs": (lambda text: text.replace(b" ", b"\t", 1), "lines and order put right"),
    "byte order mark": (lambda text: b"\xef\xbb\xbf" + text, "lines and order put right"),
    "line twice": (lambda text: text.splitlines(keepends=True)[0] + text, "1 lines (first: line 2) standing twice"),
    "blank line": (lambda text: b"\n" + text, "1 lines (first: line 1) without a word"),
    "bare id": (lambda text: text + b"c-zz-1\n", "1 lines (first: line 7) without a value"),
    "Latin-1": (lambda text: text + b"c-\xe9-1 x\n", "1 lines (first: line 7) not in UTF-8"),
}


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk", "utt2emo_native"])
@pytest.mark.parametrize("what", FORM)
def test_fix_puts_the_form_right_and_loses_nothing(data, name, what):
    before = content(data)
    corrupt, told = FORM[what]
    (data / name).write_bytes(corrupt((data / name).read_bytes()))
    assert validate_data_dir(data)
    fixed = fix_data_dir(data)
    assert fixed.lost == ()
    assert [line for line in fixed.report if line.startswith(f"{name}: {told}")], fixed.report
    assert {k: v for k, v in content(data).items() if not k.startswith(".backup/")} == before


@pytest.mark.parametrize("text", [b"", b"c-a c-a-2 c-a-1\n", None])
def test_fix_rebuilds_spk2utt(data, text):
    before = (data / "spk2utt").read_bytes()
    (data / "spk2utt").unlink() if text is None else (data / "spk2utt").write_bytes(text)
    assert fix_data_dir(data).report == ("spk2utt: rebuilt from utt2spk",)
    assert (data / "spk2utt").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (
            "utt2emo",
            b"c-a-2 sad",
            b"c-a-2 sad\nc-a-2 angry",
            "line 3: 'c-a-2' has the value 'angry', in line 2 'sad'",
        ),
        ("utt2emo", b"c-a-2 sad", b"c-a-2 sade", "1 violations would stay .*'sade' is no canonical emotion"),
        ("wav.scp", b"c-d-1 /x/1.wav", b"c-d-1 touch pwned |", "is a pipe, which would run a command"),
        ("utt2spk", b"c-b-1 c-b", b"c-b-1 c-a", "does not begin with its speaker 'c-a-'"),
        ("utt2spk", b"c-b-1 c-b", b"c-b-1 c-b c", "'c-b-1' has the speaker 'c-b c', expected one word"),
        ("utt2dur", b"c-", b"d-", "no utterance stands in all files"),
    ],
)
def test_fix_changes_nothing_where_it_cannot_help(data, name, old, new, told):
    change(data, name, old, new)
    change(data, "utt2lang", b"c-a-1 de\nc-a-2 de\n", b"c-a-2 de\nc-a-1 de\n")  # this one could be fixed
    before = content(data.parent)
    with pytest.raises(DataError, match=told):
        fix_data_dir(data)
    assert content(data.parent) == before
    assert [p.name for p in data.parent.iterdir()] == ["data"]


def test_fix_accepts_pipes_where_the_user_does(data):
    change(data, "wav.scp", b"c-d-1 /x/1.wav", b"c-d-1 sox x |")
    change(data, "utt2emo", b"c-a-2 sad\n", b"")
    assert fix_data_dir(data, allow_pipes=True).lost == ("c-a-2",)
    assert read_map(data / "wav.scp")["c-d-1"] == "sox x |"


@pytest.mark.parametrize("name", ["wav.scp", "utt2hash"])
def test_fix_names_a_missing_file(data, name):
    (data / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing and no other file holds it; run the stage"):
        fix_data_dir(data)


def test_fix_wants_a_directory(tmp_path):
    with pytest.raises(DataError, match="no such data directory; run the stage that writes it"):
        fix_data_dir(tmp_path / "none")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_loss_of_lines_and_order_is_fixed_to_the_intersection(draw):
    names = ["wav.scp", "utt2spk", "utt2dur", "utt2emo", "utt2val"]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "data", SIX)
        kept = set(IDS[:1])
        lost: set[str] = set()
        for name in names:
            lines = (path / name).read_text().splitlines()
            chosen = draw.draw(
                st.permutations([u for u in lines if u.split()[0] in kept or draw.draw(st.booleans())])
            )
            (path / name).write_text("".join(f"{line}\n" for line in chosen))
            if name != "utt2val":
                lost |= set(IDS) - {line.split()[0] for line in chosen}
        fixed = fix_data_dir(path)
        assert set(fixed.lost) == lost
        assert [u.utt_id for u in read_data_dir(path)] == [i for i in IDS if i not in lost]
        assert validate_data_dir(path) == []
        assert fix_data_dir(path).report == ()


# ---- subset ----------------------------------------------------------------------------------------------------


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


# ---- combine ---------------------------------------------------------------------------------------------------

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


def test_gender_is_kept_for_all_or_for_none(data, tmp_path):
    other = write(tmp_path / "other", [utterance("x", "1", "e", gender=None)])
    assert f"spk2gender: {other} has none, so it is left out" in combine_data(tmp_path / "both", [data, other])
    assert validate_data_dir(tmp_path / "both") == []
    assert {u.gender for u in read_data_dir(tmp_path / "both")} == {None}
    change(data, "spk2gender", b"c-d f\n", b"")
    assert fix_data_dir(data).lost == ("c-d-1",)


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


# ---- spk2utt and the command lines -----------------------------------------------------------------------------


def test_spk2utt_of_an_unsorted_file(tmp_path):
    (tmp_path / "utt2spk").write_text("c-b-1 c-b\nc-a-2 c-a\nc-a-1 c-a\n")
    assert list(spk2utt_of(tmp_path / "utt2spk").items()) == [("c-a", "c-a-1 c-a-2"), ("c-b", "c-b-1")]
    (tmp_path / "utt2spk").write_text("c-b-1 c-b c\n")
    with pytest.raises(DataError, match="'c-b-1' has the speaker 'c-b c', expected one word"):
        spk2utt_of(tmp_path / "utt2spk")


@given(st.dictionaries(st.text("abc-", min_size=1), st.text("ab", min_size=1), max_size=9))
def test_inverse_of_the_inverse(utt2spk):
    spk2utt = invert(utt2spk)
    assert {utt: spk for spk, utts in spk2utt.items() for utt in utts.split()} == utt2spk


def sh(script: str, *args: object, cwd: Path, **options: object) -> subprocess.CompletedProcess:
    return subprocess.run([UTILS / script, *map(str, args)], cwd=cwd, capture_output=True, text=True, **options)


def test_scripts_with_odd_paths(tmp_path):
    """Kaldi's names and argument order, in a folder whose name a shell would trip over."""
    here = tmp_path / 'l\'été $(touch pwned); `x` "q"'
    here.mkdir()
    data = write(here / "my data", SIX)
    out = sh("subset_data_dir.sh", "--per-spk", "--first", "my data", 1, "sub", cwd=here)
    assert (out.returncode, out.stdout) == (0, "sub: 3 utterances of my data (1 utterances per speaker, first)\n"), (
        out
    )
    (here / "the list").write_text("c-a-2\n")
    assert sh("subset_data_dir.sh", "--utt-list", "the list", data, "sub 2", cwd=here).returncode == 0
    assert read_data_dir(here / "sub 2") == [SIX[1]]
    out = sh("combine_data.sh", "both", "sub", "sub 2", cwd=here)
    assert (out.returncode, out.stderr) == (0, "")
    assert [u.utt_id for u in read_data_dir(here / "both")] == ["c-a-1", "c-a-2", "c-b-1", "c-d-1"]
    change(here / "both", "utt2emo", b"c-b-1 happy\n", b"")
    out = sh("fix_data_dir.sh", "both", cwd=here)
    assert out.stdout.endswith("both: kept 3 of 4 utterances; former files in both/.backup\n")
    assert "  utt2emo lacks 1 utterances (first: c-b-1)\n" in out.stdout
    assert sh("fix_data_dir.sh", "both", cwd=here).stdout == "both: nothing to fix, 3 utterances\n"
    out = sh("utt2spk_to_spk2utt.sh", "both/utt2spk", cwd=here)
    assert out.stdout == (here / "both/spk2utt").read_text() == "c-a c-a-1 c-a-2\nc-d c-d-1\n"
    assert sh("utt2spk_to_spk2utt.sh", cwd=here, input="u-1 u\n").stdout == "u u-1\n"
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["subset_data_dir.sh", "data", "all", "sub"], "error: subset: N is 'all', expected a number of utterances"),
        (["subset_data_dir.sh", "data", "sub"], "error: subset: found ['data', 'sub'], expected SRC N DEST"),
        (["subset_data_dir.sh", "--first", "--utt-list", "x", "data", "sub"], "leave --per-spk and the order out"),
        (["combine_data.sh", "both", "data", "data"], "error: data and data share 6 utterance ids"),
    ],
)
def test_mistakes_are_one_sentence(data, args, told):
    if args[0] == "combine_data.sh":
        shutil.copytree(data, data.parent / "copy")
        args, told = [*args[:3], "copy"], "error: copy and data share 6 utterance ids"
    out = sh(args[0], *args[1:], cwd=data.parent)
    assert out.returncode == 2
    assert told in out.stderr
    assert len(out.stderr.splitlines()) == 1
