"""A corpus of the user's own: every column, every mistake by row and column."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ser.bin import prepare_corpus
from ser.corpora.spelling import read_map_option
from ser.corpora.table import prepare_table
from ser.data.data_dir import read_data_dir
from ser.data.validate import validate_data_dir
from ser.errors import ConfigError, DataError
from ser.system.files import read_json
from tests.fakes.wav import write_wav

HEAD = "path,speaker,emotion"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three files of 1 s, one of them under an awkward name."""
    for i, name in enumerate(("a.wav", "sub dir/b;$(touch x) é.wav", "c.wav")):
        write_wav(tmp_path / "audio" / name, seed=i, n_samples=16000)
    return tmp_path


def table(folder: Path, *lines: str, name: str = "t.csv") -> Path:
    path = folder / "audio" / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_minimal_table(folder):
    path = table(folder, HEAD, "a.wav,Ann,happy", '"sub dir/b;$(touch x) é.wav",Bob,sad')
    assert prepare_table(path, folder / "lab")
    assert validate_data_dir(folder / "lab") == []
    first, second = read_data_dir(folder / "lab")
    assert (first.utt_id, first.speaker, first.emotion) == ("lab-Ann-a", "lab-Ann", "happy")
    assert second.utt_id == "lab-Bob-sub%20dir-b%3B%24%28touch%20x%29%20%C3%A9"
    assert second.wav == str(folder / "audio" / "sub dir/b;$(touch x) é.wav")
    assert (first.duration, first.gender, first.language, first.arousal) == (1.0, None, "und", None)
    assert read_json(folder / "lab" / "corpus.json")["release"] == "own"
    assert not list(folder.rglob("x"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_column(folder, delimiter):
    lines = [
        "path,speaker,emotion,gender,language,session,text_id,arousal,valence,dominance,start,end",
        "a.wav,1,angry,m,en,s1,t1,4.5,-1,,0.25,0.75",
        "a.wav,1,calm,m,en,s1,,,,2,0.75,1",
    ]
    path = table(folder, *(line.replace(",", delimiter) for line in lines))
    prepare_table(path, folder / "lab")
    one, two = read_data_dir(folder / "lab")
    assert (one.gender, one.language, one.session, one.text_id) == ("m", "en", "s1", "t1")
    assert (one.arousal, one.valence, one.dominance, one.start, one.end) == (4.5, -1.0, None, 0.25, 0.75)
    assert (two.text_id, two.arousal, two.dominance, two.duration) == (None, None, 2.0, 0.25)
    assert one.audio_hash != two.audio_hash
    assert validate_data_dir(folder / "lab") == []


def test_segments_are_what_is_extracted(folder):
    import kaldiio
    import numpy as np

    from ser.data import audio
    from ser.features.config import FeatureConfig
    from ser.features.extract import extract_stale
    from ser.features.shortcut import shortcut

    path = table(folder, HEAD + ",start,end", "a.wav,1,angry,0.25,0.5")
    prepare_table(path, folder / "lab")
    extract_stale([("shortcut", FeatureConfig(upstream="shortcut"))], [folder / "lab"], folder / "dump", 1, "cpu")
    (vector,) = (v for _, v in kaldiio.load_ark(str(next(folder.rglob("feats.ark")))))
    samples = audio.load(folder / "audio" / "a.wav").numpy()
    np.testing.assert_array_equal(vector, shortcut(samples[4000:8000]))


def test_second_call_does_nothing_until_table_or_audio_change(folder):
    path = table(folder, HEAD, "a.wav,1,angry")
    assert prepare_table(path, folder / "lab")
    assert not prepare_table(path, folder / "lab")
    write_wav(folder / "audio" / "a.wav", seed=9, n_samples=8000)
    assert prepare_table(path, folder / "lab")
    table(folder, HEAD, "a.wav,1,sad")
    assert prepare_table(path, folder / "lab")
    assert read_data_dir(folder / "lab")[0].emotion == "sad"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,speaker"], "row 1: no column emotion; found path, speaker"),
        ([HEAD + ",gendre"], "row 1: column 'gendre' is unknown; did you mean 'gender'"),
        ([HEAD], "no rows below the column names"),
        ([HEAD, "a.wav,1,hapy"], "row 2: column emotion: unknown 'hapy'; did you mean 'happy'"),
        ([HEAD, "a.wav,1,joy"], "say --map 'joy=EMOTION'"),
        ([HEAD + ",speaker", "a.wav,1,sad,2"], "row 1: column speaker stands twice"),
        ([HEAD, '"a.wav,1,sad'], "row 2: 1 cells for 3 columns"),
        ([HEAD, "a.wav,,sad"], "row 2: column speaker: empty"),
        ([HEAD, "a.wav,1"], "row 2: 2 cells for 3 columns"),
        (
            [HEAD + ",gender", "a.wav,1,sad,x"],
            "row 2: column gender: found 'x', allowed are m, f, male, female or nothing",
        ),
        ([HEAD + ",gender", "a.wav,1,sad,m", "c.wav,2,sad,"], "row 3: column gender: empty, other rows have it"),
        ([HEAD + ",arousal", "a.wav,1,sad,high"], "row 2: column arousal: found 'high', a number or nothing"),
        ([HEAD + ",arousal", "a.wav,1,sad,1_5"], "row 2: column arousal: found '1_5'"),
        ([HEAD + ",arousal", "a.wav,1,sad,nan"], "row 2: column arousal: found 'nan'"),
        ([HEAD + ",start,end", "a.wav,1,sad,0.5,"], "row 2: columns start and end: found '0.5' and ''"),
        ([HEAD + ",start,end", "a.wav,1,sad,0.5,0.5"], "needed is 0 <= start < end"),
        ([HEAD + ",start,end", "a.wav,1,sad,0.5,2"], "1 of 1 rows are unusable"),
        ([HEAD, "a.wav,1,sad", "a.wav,1,happy"], "row 3: column path: 'a.wav' stands twice for speaker '1'"),
        (
            [HEAD, "a.wav,1,sad", "a.wav,2,sad"],
            "row 3: columns path, speaker and emotion: the audio of row 2 once more, "
            "there lab-1 and sad, here lab-2 and sad",
        ),
        ([HEAD + ",utt", "a.wav,1,sad,x", "c.wav,1,sad,x"], "row 3: column utt: 'x' stands twice for speaker '1'"),
        ([HEAD, "nothing.wav,1,sad"], "1 of 1 rows are unusable"),
        ([HEAD + ",gender", "a.wav,1,sad,m", "c.wav,1,sad,f"], "speaker 'lab-1' is both 'm' (row 2) and 'f'"),
    ],
)
def test_mistakes_name_row_and_column(folder, lines, message):
    with pytest.raises(DataError) as error:
        prepare_table(table(folder, *lines), folder / "lab")
    assert message in str(error.value)
    assert not (folder / "lab").exists()


SLIPS = {
    2: "a.wav,,sad,m",
    3: "c.wav,1,hapy,m",
    4: "nothing.wav,1,sad,m",
    5: "a.wav,2,sad,mal",
    6: "a.wav,3,sad",
    7: "d.wav,4,sad,f",
    8: "d.wav,4,angry,f",
    9: "c.wav,5,sad,f",
    10: "c.wav,6,sad,",
    11: "a.wav,5,sad,m",
}


def test_all_problems_are_said_at_once(folder, capsys):
    write_wav(folder / "audio" / "d.wav", seed=7, n_samples=8000)
    with pytest.raises(DataError, match="t.csv: 9 problems .above., the first is row 2: column speaker: empty"):
        prepare_table(table(folder, HEAD + ",gender", *SLIPS.values()), folder / "lab")
    said = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  row")]
    assert [int(line.split()[1].strip(":")) for line in said] == [2, 3, 4, 5, 6, 8, 10, 10, 11]
    assert "column emotion: unknown 'hapy'; did you mean 'happy'" in said[1]
    assert "column path: nothing.wav: cannot be read" in said[2]


def test_common_spellings_are_understood_and_said(folder, capsys):
    lines = ["File;Speaker-ID;EMOTION;Sex;Age;;", "a.wav;1;Anger;Male;30;;", "c.wav;2;joy;w;;;"]
    prepare_table(table(folder, *lines), folder / "lab", mapped={"joy": "happy"})
    one, two = read_data_dir(folder / "lab")
    assert (one.emotion, one.emotion_native, one.gender) == ("angry", "Anger", "m")
    assert (two.emotion, two.emotion_native, two.gender) == ("happy", "joy", "f")
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for line in (
        "separated by semicolons: 2 rows, 5 columns", "column 'File' read as path", "column 'Age' is not used",
        "emotion 'Anger' read as angry: 1 x", "emotion 'joy' read as happy: 1 x", "2 x 16000 Hz, 1 channel(s)",
    ):  # fmt: skip
        assert line in said
    assert read_json(folder / "lab" / "corpus.json")["formats"] == {"16000 Hz, 1 channel(s)": 2}
    assert not prepare_table(table(folder, *lines), folder / "lab")  # as it was made before, with the same words


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("joy", "--map 'joy': expected word=emotion"),
        ("joy=hapy", "--map joy=hapy: 'joy': unknown 'hapy'; did you mean 'happy'"),
        ("{folder}/map.yaml", "'joy': unknown 'glad'"),
    ],
)
def test_what_a_map_cannot_say(folder, option, said):
    (folder / "map.yaml").write_text("joy: glad\n")
    with pytest.raises(ConfigError, match=said):
        read_map_option([option.format(folder=folder)])


def test_maps_may_be_files(folder):
    (folder / "map.yaml").write_text("joy: happy\n1: sad\n")
    assert read_map_option([str(folder / "map.yaml"), "rage=angry"]) == {"joy": "happy", "1": "sad", "rage": "angry"}


def test_a_corpus_in_another_place_has_the_same_ids(folder, tmp_path_factory):
    """Whether paths are relative or absolute; `utt` names an utterance whatever its file."""

    def ids_of(root: Path, *paths: str, utt: str = "") -> list[str]:
        lines = [f'"{path}",1,sad' + (f",{utt}{i}" if utt else "") for i, path in enumerate(paths)]
        prepare_table(table(root, HEAD + (",utt" if utt else ""), *lines), root / "lab")
        return [u.utt_id for u in read_data_dir(root / "lab")]

    names = ("a.wav", "sub dir/b;$(touch x) é.wav")
    here = ids_of(folder, *names)
    assert ids_of(folder, *(str(folder / "audio" / name) for name in names)) == here
    other = tmp_path_factory.mktemp("elsewhere") / "deeper"
    shutil.copytree(folder / "audio", other / "audio")
    assert ids_of(other, *(str(other / "audio" / name) for name in names)) == here
    assert ids_of(other, *names, utt="u") == ["lab-1-u0", "lab-1-u1"]


def test_partial_is_accepted_and_stamped(folder, capsys):
    path = table(folder, HEAD, "a.wav,1,sad", "nothing.wav,1,sad")
    prepare_table(path, folder / "lab", allow_partial=True)
    info = read_json(folder / "lab" / "corpus.json")
    assert info["release"] == "subset" and info["n_utterances"] == 1
    assert "row 3: nothing.wav: cannot be read (No such file or directory)" in capsys.readouterr().out


def test_a_name_that_no_corpus_can_have(folder):
    with pytest.raises(DataError, match="'my lab' cannot be the name of a corpus"):
        prepare_table(table(folder, HEAD, "a.wav,1,sad"), folder / "my lab")


def test_command_line(folder, capsys):
    path = table(folder, HEAD, "a.wav,1,sad")
    prepare_corpus.main(["table", str(path), str(folder / "lab")])
    assert "table: wrote" in capsys.readouterr().out
    prepare_corpus.main(["table", str(path), str(folder / "lab")])
    assert "table: up to date" in capsys.readouterr().out
