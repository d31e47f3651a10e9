from pathlib import Path

import pytest

from ser.corpora import aesdd, cafe, das_ratings, emodb, urdu
from ser.data.data_dir import write_data_dir
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import write_wav

HEADS = {
    "emodb": "filename,activation,valence ",
    "cafe": "filname,activation ,valence",
    "urdu": ",,filename,activation,valence",
    "aesdd": "filename,activation,valence ",
}
"""First lines as published, quirks included."""

PARSE = {"emodb": emodb.parse, "cafe": cafe.parse, "urdu": urdu.parse, "aesdd": aesdd.parse}


def release_of(corpus: str, tmp_path: Path, *names: str) -> tuple[Path, list[Utterance]]:
    release = tmp_path / "root" / corpus
    for seed, name in enumerate(names):
        write_wav(release / name, seed, 50)
    return release, PARSE[corpus](release).utterances


def write_csv(folder: Path, corpus: str, *rows: str) -> Path:
    path = folder / das_ratings.FILES[corpus]
    path.write_text("".join(f"{row}\n" for row in (HEADS[corpus], *rows)), encoding="utf-8")
    return path


def ratings(utterances):
    return {u.utt_id: (u.arousal, u.valence) for u in utterances}


@pytest.mark.parametrize(
    ("corpus", "wav", "row", "utt_id"),
    [
        ("emodb", "wav/03a01Fa.wav", "03a01Fa.wav,3.5,4", "emodb-03-03a01Fa"),
        ("cafe", "Colère/Faible/01-C-1-4.wav", "01-C-1-4.wav,3.5,4", "cafe-01-01-C-1-4"),
        ("urdu", "Happy/SF1_F6_H06.wav", ",,SF1_F6_H06.wav,3.5,4", "urdu-SF1-SF1_F6_H06"),
        ("aesdd", "fear/f18 (5)b.wav", "f18 (5)b.wav,3.5,4", "aesdd-5-f18%20%285%29b"),
    ],
)
def test_published_headers_with_misspelt_padded_and_empty_columns_are_read(tmp_path, corpus, wav, row, utt_id):
    release, utterances = release_of(corpus, tmp_path, wav)
    write_csv(release.parent, corpus, row)
    assert ratings(das_ratings.join(corpus, utterances, release)) == {utt_id: (3.5, 4.0)}


def test_activation_is_arousal_and_not_valence(tmp_path):
    release, utterances = release_of("emodb", tmp_path, "wav/03a01Wa.wav")
    write_csv(release, "emodb", "03a01Wa.wav,4.5,1")
    (joined,) = das_ratings.join("emodb", utterances, release)
    assert (joined.arousal, joined.valence, joined.dominance) == (4.5, 1.0, None)


@pytest.mark.parametrize("corpus", ["emodb", "cafe", "urdu", "aesdd", "ravdess"])
def test_without_a_file_utterances_are_unchanged(tmp_path, corpus):
    release, utterances = release_of("emodb", tmp_path, "wav/03a01Fa.wav")
    assert das_ratings.join(corpus, utterances, release) == utterances


def test_a_file_in_the_release_goes_before_one_beside_it(tmp_path):
    release, utterances = release_of("emodb", tmp_path, "wav/03a01Fa.wav")
    write_csv(release.parent, "emodb", "03a01Fa.wav,1,1")
    write_csv(release, "emodb", "03a01Fa.wav,2,2")
    assert ratings(das_ratings.join("emodb", utterances, release)) == {"emodb-03-03a01Fa": (2, 2)}


def test_a_mini_release_takes_no_ratings_of_real_speech_from_beside_it(tmp_path):
    release, utterances = release_of("emodb", tmp_path, "wav/03a01Fa.wav")
    (release / "mini.json").write_text("{}")
    write_csv(release.parent, "emodb", "03a01Fa.wav,1,1")
    assert das_ratings.join("emodb", utterances, release) == utterances
    write_csv(release, "emodb", "03a01Fa.wav,2,2")
    assert ratings(das_ratings.join("emodb", utterances, release)) == {"emodb-03-03a01Fa": (2, 2)}


def test_192_khz_names_without_intensity_are_rated_by_the_48_khz_names(tmp_path):
    release, utterances = release_of("cafe", tmp_path, "CaFE_192k_1/Neutre/03-N-1.wav")
    write_csv(release, "cafe", "03-N-1-1.wav,2,3")
    assert ratings(das_ratings.join("cafe", utterances, release)) == {"cafe-03-03-N-1-1": (2, 3)}


def test_takes_of_one_utterance_keep_their_own_ratings_where_a_number_would_merge_them(tmp_path):
    stems = ("s01 (5)a", "s01 (5)b", "d03 (01)", "d03 (5)", "d03 (5)b")
    release, utterances = release_of("aesdd", tmp_path, *(f"x/{s}.wav" for s in stems))
    write_csv(release, "aesdd", "s01 (5)b.wav,2,2", "d03 (01).wav,3,3.5", "d03 (5)b.wav,5,1")
    joined = {Path(u.wav).stem: (u.arousal, u.valence) for u in das_ratings.join("aesdd", utterances, release)}
    assert joined == {
        "s01 (5)a": (None, None), "s01 (5)b": (2, 2), "d03 (01)": (3, 3.5), "d03 (5)": (None, None),
        "d03 (5)b": (5, 1),
    }  # fmt: skip


def test_nan_is_no_rating_and_a_partly_rated_directory_is_valid(tmp_path):
    release, utterances = release_of("aesdd", tmp_path, "x/s06 (3).wav", "x/s07 (3).wav", "x/s05 (3).wav")
    write_csv(release, "aesdd", "s05 (3).wav,nan,nan", "s06 (3).wav,nan,nan", "s07 (3).wav,1.5,2")
    joined = das_ratings.join("aesdd", utterances, release)
    assert ratings(joined) == {"aesdd-3-s06%20%283%29": (None, None), "aesdd-3-s07%20%283%29": (1.5, 2)}
    whole = [dict(vars(u), duration=1.0, audio_hash="0") for u in joined]
    write_data_dir(tmp_path / "data", [Utterance(**fields) for fields in whole], {})
    assert validate_data_dir(tmp_path / "data") == []
    assert (tmp_path / "data/utt2aro").read_text() == "aesdd-3-s07%20%283%29 1.5\n"


def test_rows_of_no_utterance_are_counted_and_printed(tmp_path, capsys):
    release, utterances = release_of("emodb", tmp_path, "wav/03a01Fa.wav", "wav/03a01Nc.wav")
    write_csv(release, "emodb", "03a01Fa.wav,3,3", "03a01Wa.wav,4,2", "03a01Xx.wav,4,2")
    das_ratings.join("emodb", utterances, release)
    out = capsys.readouterr().out
    assert out == "  ratings: EMO_DB.csv rates 1 of 2 utterances; 2 of its rows match no utterance here\n"


def test_a_row_that_stands_twice_alike_is_one_rating(tmp_path):
    path = write_csv(tmp_path, "emodb", "03a01Fa.wav,3,3", "03a01Fa.wav,3.0,3", "")
    assert das_ratings.read(path) == {"03a01Fa": (3, 3)}


def test_two_ratings_that_differ_stop_where_the_last_would_win(tmp_path):
    path = write_csv(tmp_path, "emodb", "03a01Fa.wav,3,3", "03a01Fa.wav,3,4")
    with pytest.raises(
        DataError, match=r"EMO_DB.csv line 3: '03a01Fa.wav' is rated .3.0, 4.0., and above .3.0, 3.0."
    ):
        das_ratings.read(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("03a01Fa.wav,0.5,3", "line 2: rating '0.5' outside 1-5"),
        ("03a01Fa.wav,3,5.5", "line 2: rating '5.5' outside 1-5"),
        ("03a01Fa.wav,high,3", "line 2: rating 'high' is not a number"),
        ("03a01Fa.wav,3", "line 2: found .* expected a file name, activation and valence"),
        (",3,3", "line 2: found .* expected a file name"),
    ],
)
def test_a_row_that_is_not_as_published_stops_with_file_and_line(tmp_path, row, message):
    with pytest.raises(DataError, match=f"EMO_DB.csv {message}"):
        das_ratings.read(write_csv(tmp_path, "emodb", row))


@pytest.mark.parametrize("head", ["filename;activation;valence", "filename,arousal,valence", ""])
def test_other_columns_stop(tmp_path, head):
    path = tmp_path / "EMO_DB.csv"
    path.write_text(f"{head}\n03a01Fa.wav,3,3\n")
    with pytest.raises(DataError, match="EMO_DB.csv line 1: found columns .* expected filename, activation and"):
        das_ratings.read(path)


def test_windows_line_ends_and_byte_order_mark_are_read_alike(tmp_path):
    path = tmp_path / "EMO_DB.csv"
    path.write_bytes(b"\xef\xbb\xbffilename,activation,valence \r\n03a01Fa.wav,3,2.5\r\n")
    assert das_ratings.read(path) == {"03a01Fa": (3, 2.5)}


def test_a_file_in_another_encoding_stops(tmp_path):
    path = tmp_path / "EMO_DB.csv"
    path.write_bytes(b"filename,activation,valence \n\xe9.wav,3,3\n")
    with pytest.raises(DataError, match="not UTF-8 at byte 29"):
        das_ratings.read(path)


def test_files_are_also_found_in_the_folder_that_conf_names(tmp_path, monkeypatch):
    release, ratings = tmp_path / "corpora" / "EMO-DB", tmp_path / "ratings"
    release.mkdir(parents=True)
    ratings.mkdir()
    (ratings / "EMO_DB.csv").write_text("filename,activation,valence \n")
    assert das_ratings.find("emodb", release) is None
    monkeypatch.setenv("DAS2022", str(ratings))
    assert das_ratings.find("emodb", release) == ratings / "EMO_DB.csv"
    assert das_ratings.find("urdu", release) is None
    (release / "mini.json").write_text("{}")  # rated only from within
    assert das_ratings.find("emodb", release) is None
    monkeypatch.setenv("DAS2022", str(tmp_path / "no"))
    (release / "mini.json").unlink()
    with pytest.raises(
        DataError, match="DAS2022: '.*no' is not a folder; set it in conf/db.sh to that of EMO_DB.csv"
    ):
        das_ratings.find("emodb", release)
