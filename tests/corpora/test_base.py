"""From a release to a data directory, on a toy corpus: found, checked, counted, written, not written twice."""

from __future__ import annotations

import dataclasses
import os
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.corpora import CORPORA, base
from ser.corpora.base import Corpus, Parsed, audio_files, audio_suffix, find_release, match_name, prepare
from ser.data.data_dir import read_data_dir
from ser.data.maps import read_map
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import alone, read_json, write_json
from ser.types import EMOTIONS, Utterance, ids
from tests.fakes.emodb import write_release
from tests.fakes.wav import touch, write_wav

NAME = re.compile(r"(\w+)_(happy|sad)(\d)")


def parse(release: Path) -> Parsed:
    utterances = []
    for path in audio_files(release):
        speaker, emotion, _ = match_name(NAME, path, release, "ann_sad1").groups()
        utt_id, speaker_id = ids("toy", speaker, path.stem)
        utterances.append(Utterance(utt_id, speaker_id, str(path), emotion, emotion[0], "f", "en"))
    return Parsed(utterances, {"notes.txt": "no audio"})


TOY = Corpus(
    name="toy",
    title="Toy corpus",
    folders=("TOY", "toy-v2"),
    page="https://toy.example/get",
    licence="none",
    counts={"happy": 2, "sad": 1},
    parse=parse,
)


@pytest.fixture
def release(tmp_path):
    for seed, stem in enumerate(("ann_happy1", "ann_sad1", "bob_happy1")):
        write_wav(tmp_path / "release/audio" / f"{stem}.wav", seed, rate_hz=8000 if stem == "ann_sad1" else 16000)
    return tmp_path / "release"


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data/toy"


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """What a folder holds and when each file was written."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


# ---- A release becomes a data directory ------------------------------------------------------------------------


def test_full_release(release, data_dir, capsys):
    assert prepare(TOY, release, data_dir)
    assert capsys.readouterr().out == (
        f"Toy corpus in {release}\n"
        "  emotion      expected  found  usable\n"
        "  happy               2      2       2\n"
        "  sad                 1      1       1\n"
        "  total               3      3       3\n"
        "  2 x 16000 Hz, 1 channel(s)\n"
        "  1 x 8000 Hz, 1 channel(s)\n"
        "  left out: 1 x no audio\n"
    )
    assert validate_data_dir(data_dir) == []
    info = read_json(data_dir / "corpus.json")
    assert (info["release"], info["n_utterances"], info["n_speakers"]) == ("full", 3, 2)
    assert (info["corpus"], info["title"], info["licence"], info["page"]) == (
        "toy", "Toy corpus", "none", "https://toy.example/get",
    )  # fmt: skip
    assert info["emotions"] == {"happy": 2, "sad": 1}
    assert info["dropped"] == {"notes.txt": "no audio"}
    ann_sad = read_data_dir(data_dir)[1]
    assert (ann_sad.utt_id, ann_sad.duration) == ("toy-ann-ann_sad1", 0.01)  # 80 samples at 8 kHz
    assert ann_sad.wav == str(release / "audio/ann_sad1.wav")


def test_second_call_does_nothing(release, data_dir, capsys):
    assert prepare(TOY, release, data_dir)
    before = content(data_dir)
    capsys.readouterr()
    assert not prepare(TOY, release, data_dir)
    assert not prepare(TOY, Path(os.path.relpath(release)), data_dir)  # the same folder under another name
    assert capsys.readouterr().out == ""
    assert content(data_dir) == before


def test_what_another_run_prepared_in_the_meantime_is_left_as_it_is(release, data_dir, monkeypatch):
    """That run may be reading it."""
    prepared = {}

    @contextmanager
    def after_another_run(path):
        monkeypatch.setattr(base, "alone", alone)
        prepare(TOY, release, data_dir)
        prepared.update(content(data_dir))
        with alone(path):
            yield

    monkeypatch.setattr(base, "alone", after_another_run)
    prepare(TOY, release, data_dir)
    assert prepared and content(data_dir) == prepared


@pytest.mark.parametrize("change", ["file less", "other samples", "file more", "label file", "parser", "option"])
def test_whatever_decides_the_content_prepares_again(release, data_dir, change):
    corpus, allow_partial = TOY, True
    prepare(corpus, release, data_dir, allow_partial)
    if change == "file less":
        (release / "audio/ann_sad1.wav").unlink()
    elif change == "other samples":  # of the same length
        write_wav(release / "audio/ann_sad1.wav", seed=99, rate_hz=8000)
    elif change == "file more":
        write_wav(release / "audio/cem_sad1.wav")
    elif change == "label file":
        (release / "labels.txt").write_text("x")
    elif change == "parser":
        corpus = dataclasses.replace(TOY, version=2)
    else:
        allow_partial = False
    old_hash = read_map(data_dir / "utt2hash")
    assert prepare(corpus, release, data_dir, allow_partial)
    assert not prepare(corpus, release, data_dir, allow_partial)
    new_hash = read_map(data_dir / "utt2hash")
    assert (old_hash != new_hash) == (change in ("file less", "other samples", "file more"))
    assert read_json(data_dir / "corpus.json")["release"] == ("subset" if "file " in change else "full")


def test_release_that_moved_is_prepared_again(release, data_dir):
    prepare(TOY, release, data_dir)
    release.rename(release.with_name("moved"))
    assert prepare(TOY, release.with_name("moved"), data_dir)
    assert read_map(data_dir / "wav.scp")["toy-ann-ann_sad1"] == str(
        release.with_name("moved") / "audio/ann_sad1.wav"
    )


def test_mini_release_has_its_own_counts(release, data_dir):
    write_json(release / "mini.json", {"counts": {"happy": 2, "sad": 2}})
    with pytest.raises(DataError, match="counts that differ"):
        prepare(TOY, release, data_dir)
    write_json(release / "mini.json", {"counts": {"happy": 2, "sad": 1}})
    prepare(TOY, release, data_dir)
    assert read_json(data_dir / "corpus.json")["release"] == "mini"


# ---- What is missing or unusable stops it, unless it is accepted ------------------------------------------------


def test_missing_file_stops_it_with_expected_and_found(release, data_dir, capsys):
    (release / "audio/bob_happy1.wav").unlink()
    with pytest.raises(DataError) as error:
        prepare(TOY, release, data_dir)
    assert str(error.value) == (
        f"toy: counts that differ from the full release in '{release}' (table above); restore them from "
        "https://toy.example/get, or accept the files present with --allow_partial true, which flags every table "
        "made from them"
    )
    assert "  happy               2      1       1  <-\n" in capsys.readouterr().out
    assert not data_dir.exists()
    assert not data_dir.parent.exists() or list(data_dir.parent.iterdir()) == []


def test_emotion_that_is_not_expected_stops_it(release, data_dir, capsys):
    with pytest.raises(DataError, match="counts that differ"):
        prepare(dataclasses.replace(TOY, counts={"happy": 2}), release, data_dir)
    assert "  sad                 0      1       1  <-\n" in capsys.readouterr().out


UNUSABLE = {
    "ann_happy1.wav": (lambda b: b[:-7], "truncated: header promises 160 bytes of audio, 153 are there"),
    "ann_sad1.wav": (lambda b: b"", "empty file (0 bytes)"),
    "bob_happy1.wav": (lambda b: b"fLaC" + b, "damaged: libsndfile cannot open this FLAC"),
}


def test_every_unusable_file_is_listed_with_its_reason(release, data_dir, capsys):
    write_wav(release / "audio/cem_sad1.wav")
    for name, (spoil, _) in UNUSABLE.items():
        path = release / "audio" / name
        path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=r"^toy: 3 unusable files in '.*' \(table above\)"):
        prepare(TOY, release, data_dir)
    out = capsys.readouterr().out
    assert "  happy               2      2       0  <-\n  sad                 1      2       1  <-\n" in out
    for name, (_, reason) in UNUSABLE.items():
        assert f"  unusable: audio/{name}: {reason}\n" in out
    assert not data_dir.exists()
    assert prepare(TOY, release, data_dir, allow_partial=True)
    info = read_json(data_dir / "corpus.json")
    assert info["release"] == "subset"
    assert info["dropped"] == {"notes.txt": "no audio"} | {
        f"audio/{name}": reason for name, (_, reason) in UNUSABLE.items()
    }
    assert list(read_map(data_dir / "wav.scp")) == ["toy-cem-cem_sad1"]


def test_right_counts_with_an_unusable_file_are_no_full_release(release, data_dir):
    """A parser that counts names only finds nothing wrong."""
    (release / "audio/ann_sad1.wav").write_bytes(b"")
    with pytest.raises(DataError, match="1 unusable files"):
        prepare(TOY, release, data_dir)


def test_a_directory_whose_mark_is_damaged_may_be_anybodys(release, data_dir):
    prepare(TOY, release, data_dir)
    (data_dir / "corpus.json").write_text('{"made_from": {"rele')
    with pytest.raises(
        DataError, match="toy: is not a data directory of toy that was made here, but holds 'corpus.json'"
    ):
        prepare(TOY, release, data_dir)


@pytest.mark.parametrize("allow_partial", [False, True])
def test_nothing_usable_is_no_corpus_even_if_partial_ones_are_accepted(tmp_path, data_dir, allow_partial):
    (tmp_path / "release").mkdir()
    with pytest.raises(DataError, match="^toy: no usable utterances below '.*/release'; Toy corpus: https://toy"):
        prepare(TOY, tmp_path / "release", data_dir, allow_partial)
    assert not data_dir.exists()


def test_what_was_prepared_stays_whole_when_the_release_breaks(release, data_dir):
    prepare(TOY, release, data_dir)
    before = content(data_dir)
    (release / "audio/ann_sad1.wav").write_bytes(b"")
    with pytest.raises(DataError, match="unusable"):
        prepare(TOY, release, data_dir)
    assert content(data_dir) == before


def test_wrong_name_stops_it_even_if_partial_releases_are_accepted(release, data_dir):
    write_wav(release / "audio/ann_angry1.wav")
    with pytest.raises(DataError) as error:
        prepare(TOY, release, data_dir, allow_partial=True)
    assert str(error.value) == (
        "audio/ann_angry1.wav: name does not follow the release's grammar (as in 'ann_sad1'); remove the file or "
        "restore its name"
    )


def test_two_files_of_one_utterance_are_refused(release, data_dir):
    write_wav(release / "audio2/ann_sad1.wav")
    with pytest.raises(DataError, match="'toy-ann-ann_sad1' stands for both '.*/audio/ann_sad1.wav' and '.*/audio2/"):
        prepare(TOY, release, data_dir, allow_partial=True)
    assert not data_dir.exists()


# ---- Paths -----------------------------------------------------------------------------------------------------

AWKWARD = ["a b", "l'été", 'say "x"', "a;touch executed", "$(touch executed)", "`touch executed`", "x |", "%20", "-n"]


@pytest.mark.parametrize("folder", [*AWKWARD, " ; ".join(AWKWARD)])
def test_awkward_paths_come_through_unharmed_and_are_never_executed(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    wav = write_wav(tmp_path / folder / "release" / folder / "ann_sad1.wav")
    data_dir = tmp_path / folder / "data"
    prepare(TOY, tmp_path / folder / "release", data_dir, allow_partial=True)
    assert validate_data_dir(data_dir) == []
    assert [u.wav for u in read_data_dir(data_dir)] == [str(wav)]
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("corpus", [TOY, CORPORA["emodb"], CORPORA["ravdess"]], ids=lambda c: c.name)
def test_relative_release_with_an_unusable_file(tmp_path, monkeypatch, capsys, corpus):
    good, bad = {
        "toy": ("x/ann_sad1.wav", "x/ann_sad2.wav"),
        "emodb": ("wav/03a01Fa.wav", "wav/03a01Wa.wav"),
        "ravdess": ("Actor_01/03-01-01-01-01-01-01.wav", "Actor_01/03-01-01-01-01-02-01.wav"),
    }[corpus.name]
    write_wav(tmp_path / "é/release" / good)
    write_wav(tmp_path / "é/release" / bad).write_bytes(b"")
    monkeypatch.chdir(tmp_path / "é")
    prepare(corpus, Path("release"), Path("data"), allow_partial=True)
    assert f"  unusable: {bad}: empty file (0 bytes)\n" in capsys.readouterr().out
    assert list(read_map(Path("data/wav.scp")).values()) == [str(tmp_path / "é/release" / good)]
    assert read_json(Path("data/corpus.json"))["dropped"][bad] == "empty file (0 bytes)"


@pytest.mark.parametrize("corpus", [TOY, CORPORA["emodb"], CORPORA["ravdess"]], ids=lambda c: c.name)
def test_linked_files_are_named_as_in_the_release(tmp_path, capsys, corpus):
    """As in a cache of content: the link tells speaker and emotion, what it points to does not."""
    good, bad = {
        "toy": ("ann_sad1.wav", "ann_sad2.wav"),
        "emodb": ("03a01Fa.wav", "03a01Wa.wav"),
        "ravdess": ("03-01-01-01-01-01-01.wav", "03-01-01-01-01-02-01.wav"),
    }[corpus.name]
    write_wav(tmp_path / "store/0")
    (tmp_path / "store/1").write_bytes(b"")
    (tmp_path / "real").mkdir()
    for number, name in enumerate((good, bad)):
        (tmp_path / "real" / name).symlink_to(tmp_path / "store" / str(number))
    (tmp_path / "release").symlink_to("real")
    prepare(corpus, tmp_path / "release", tmp_path / "data", allow_partial=True)
    assert f"  unusable: {bad}: empty file (0 bytes)\n" in capsys.readouterr().out
    assert list(read_map(tmp_path / "data/wav.scp").values()) == [str(tmp_path / "real" / good)]


@pytest.mark.parametrize("path", [b"r/Col\xe8re/ann_sad1.wav", b"r/Col\xe8re/notes.txt", b"Col\xe8re/ann_sad1.wav"])
def test_name_that_is_not_utf_8_is_told(tmp_path, data_dir, path):
    """As an archive of another age unpacks."""
    file = tmp_path / os.fsdecode(path)
    try:
        write_wav(file)
    except OSError as error:
        pytest.skip(f"this file system does not hold such a name ({error})")
    with pytest.raises(DataError, match=r"^toy: b'.*/Col\\xe8re.*' is not UTF-8; rename it, as with 'convmv"):
        prepare(TOY, tmp_path / os.fsdecode(path.split(b"/")[0]), data_dir, allow_partial=True)
    assert not data_dir.exists()


# ---- Pieces ----------------------------------------------------------------------------------------------------


def test_wav_files_come_sorted_without_hidden_copies(tmp_path):
    for name in ("b/2.wav", "b/1.WAV", "a/3.wav", "a/._3.wav", "__MACOSX/a/3.wav", ".hidden/4.wav", "0.wav",
                 "a/notes.txt", "a/wav"):  # fmt: skip
        write_wav(tmp_path / name)
    assert [str(path.relative_to(tmp_path)) for path in audio_files(tmp_path)] == [
        "0.wav", "a/3.wav", "b/1.WAV", "b/2.wav",
    ]  # fmt: skip


def test_a_release_that_was_converted_is_read_and_flagged(tmp_path, data_dir, capsys):
    """FLAC at half the rate; copies in MP3 beside the release are not read."""
    for seed, stem in enumerate(("ann_happy1", "ann_sad1", "bob_happy1")):
        samples = np.random.default_rng(seed).uniform(-0.1, 0.1, 800)
        (tmp_path / "release").mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"release/{stem}.flac", samples, 8000)
    soundfile.write(tmp_path / "release/ann_happy1.mp3", samples, 8000)
    assert prepare(dataclasses.replace(TOY, rate_hz=16000), tmp_path / "release", data_dir)
    info = read_json(data_dir / "corpus.json")
    assert info["release"] == "full"
    assert info["copy"] == ["3 of 3 files are FLAC", "3 of 3 files have 8000 Hz, the release has 16000 Hz"]
    assert "  copy: 3 of 3 files are FLAC\n" in capsys.readouterr().out
    assert [u.utt_id for u in read_data_dir(data_dir)] == [
        "toy-ann-ann_happy1",
        "toy-ann-ann_sad1",
        "toy-bob-bob_happy1",
    ]


def test_the_first_kind_of_audio_that_occurs_is_the_release(tmp_path):
    for name in ("a/1.mp3", "2.flac", "b/3.FLAC", "4.ogg", "5.txt"):
        touch(tmp_path, [name])
    assert [path.name for path in audio_files(tmp_path)] == ["2.flac", "3.FLAC"]
    assert audio_suffix(tmp_path / "a") == ".mp3"
    assert audio_suffix(tmp_path / "none") == ".wav"


def test_nothing_is_asserted_of_a_corpus_whose_counts_are_not_known(release, data_dir, capsys):
    prepare(dataclasses.replace(TOY, counts={}), release, data_dir)
    assert read_json(data_dir / "corpus.json")["release"] == "uncounted"
    assert "  happy               2      2       2\n" in capsys.readouterr().out


@pytest.mark.parametrize("stem", ["xann_sad1 ", "ann_sad1x", "ann_sad", ""])
def test_names_are_matched_whole(tmp_path, stem):
    with pytest.raises(DataError, match="name does not follow the release's grammar"):
        match_name(NAME, tmp_path / f"{stem}.wav", tmp_path, "ann_sad1")


def test_release_is_the_folder_that_was_named(release, tmp_path):
    assert find_release(TOY, release, tmp_path / "none") == release


@pytest.mark.parametrize("name", ["TOY", "toy", "Toy-V2"])
def test_release_is_found_below_the_root_in_any_case(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / "toys").mkdir()
    assert find_release(TOY, None, tmp_path) == tmp_path / name


@pytest.mark.parametrize(
    "release, db_root, found",
    [
        ("none", None, "'{0}/none' is not a folder"),
        ("file", None, "'{0}/file' is not a folder"),
        (None, "none", "--db_root '{0}/none' is not a folder"),
        (None, ".", "'{0}' holds no folder TOY, toy-v2"),
        (None, None, "no release folder was given"),
    ],
)
def test_missing_corpus_names_folders_variable_and_page(tmp_path, release, db_root, found):
    write_wav(tmp_path / "file")
    write_wav(tmp_path / "toy-v2")  # a file, no folder
    with pytest.raises(DataError) as error:
        find_release(TOY, release and tmp_path / release, db_root and tmp_path / db_root)
    assert str(error.value) == (
        f"toy: {found.format(tmp_path)}; set TOY in conf/db.sh or --db_root; Toy corpus: https://toy.example/get"
    )


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=lambda c: c.name)
def test_every_corpus_has_canonical_counts_and_an_address(corpus):
    assert CORPORA[corpus.name] is corpus
    assert set(corpus.counts) <= set(EMOTIONS)
    assert re.search(r"https?://", corpus.page)
    assert re.fullmatch("[A-Z0-9_]+", corpus.variable)  # a name that a shell takes


def test_a_parser_sees_no_audio(tmp_path, monkeypatch):
    """Names and label files only: all reading of audio is in one place."""
    write_release(tmp_path)
    monkeypatch.setattr("ser.corpora.base.probe", None)
    monkeypatch.setattr(Path, "read_bytes", None)
    assert len(CORPORA["emodb"].parse(tmp_path).utterances) == 535
