import shutil
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from ser.corpora import cafe
from ser.corpora.base import prepare
from ser.data.data_dir import read_data_dir
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import read_json
from tests.fakes.cafe import write_release
from tests.fakes.wav import write_wav

COUNTS = {
    "angry": 144, "disgusted": 144, "happy": 144, "fearful": 144, "surprised": 144, "sad": 144, "neutral": 72,
}  # fmt: skip


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("cafe") / "CaFE")


def one_file(root: Path, name: str, seed: int = 0) -> Path:
    write_wav(root / name, seed, 50)
    return root


def test_full_release_has_the_published_counts(release):
    parsed = cafe.parse(release)
    assert len(parsed.utterances) == 936
    assert parsed.dropped == {}
    assert Counter(u.emotion for u in parsed.utterances) == COUNTS == cafe.CORPUS.counts
    assert Counter(u.speaker for u in parsed.utterances) == {f"cafe-{n:02}": 78 for n in range(1, 13)}
    assert Counter(u.text_id for u in parsed.utterances) == {str(n): 156 for n in range(1, 7)}
    men = {u.speaker for u in parsed.utterances if u.gender == "m"}
    assert men == {"cafe-01", "cafe-03", "cafe-05", "cafe-07", "cafe-09", "cafe-11"}


def test_prepares_to_a_valid_data_directory(release, tmp_path, capsys):
    prepare(cafe.CORPUS, release, tmp_path / "cafe")
    assert validate_data_dir(tmp_path / "cafe") == []
    info = read_json(tmp_path / "cafe/corpus.json")
    assert (info["release"], info["n_utterances"], info["n_speakers"]) == ("full", 936, 12)
    assert "936 x 48000 Hz, 1 channel(s)" in capsys.readouterr().out


def test_s_is_surprise_not_sadness(tmp_path):
    (utterance,) = cafe.parse(one_file(tmp_path, "Surprise/Faible/02-S-1-3.wav")).utterances
    assert (utterance.emotion, utterance.emotion_native) == ("surprised", "S-1")
    assert (utterance.utt_id, utterance.gender) == ("cafe-02-02-S-1-3", "f")


@pytest.mark.parametrize(
    ("letter", "emotion"),
    [("C", "angry"), ("D", "disgusted"), ("J", "happy"), ("P", "fearful"), ("T", "sad")],
)
def test_letters_are_french_initials(tmp_path, letter, emotion):
    (utterance,) = cafe.parse(one_file(tmp_path, f"01-{letter}-2-1.wav")).utterances
    assert utterance.emotion == emotion


def test_intensity_is_kept_beside_the_emotion(release):
    native = Counter(u.emotion_native for u in cafe.parse(release).utterances)
    assert native == {"N-1": 72} | {f"{e}-{i}": 72 for e in "CDJPST" for i in (1, 2)}


def test_decomposed_folder_names_are_read_where_composed_ones_are_looked_up(release, tmp_path):
    write_release(tmp_path / "CaFE", form="NFD")
    parsed = cafe.parse(tmp_path / "CaFE")
    assert [u.utt_id for u in parsed.utterances] == [u.utt_id for u in cafe.parse(release).utterances]
    accented = [u for u in parsed.utterances if u.emotion in ("angry", "disgusted")]
    assert len(accented) == 288
    assert all(Path(u.wav).is_file() and unicodedata.is_normalized("NFD", u.wav) for u in accented)
    prepare(cafe.CORPUS, tmp_path / "CaFE", tmp_path / "data")
    assert all(Path(u.wav).is_file() for u in read_data_dir(tmp_path / "data"))


def test_both_unicode_forms_in_one_tree_are_not_read_twice(tmp_path):
    for form in ("NFC", "NFD"):
        one_file(tmp_path, unicodedata.normalize(form, "Colère/Fort/01-C-2-1.wav"))
    parsed = cafe.parse(tmp_path)
    assert len(parsed.utterances) == 1
    assert list(parsed.dropped.values()) == ["second copy of a file"]


def test_192_khz_release_of_aiff_without_intensity_of_neutral_gives_the_same_ids(release, tmp_path, capsys):
    write_release(tmp_path / "CaFE", rate_hz=192_000)
    parsed = cafe.parse(tmp_path / "CaFE")
    same = ("utt_id", "speaker", "emotion", "emotion_native", "gender", "text_id")
    assert {tuple(getattr(u, f) for f in same) for u in parsed.utterances} == {
        tuple(getattr(u, f) for f in same) for u in cafe.parse(release).utterances
    }
    prepare(cafe.CORPUS, tmp_path / "CaFE", tmp_path / "data")
    assert validate_data_dir(tmp_path / "data") == []
    assert read_json(tmp_path / "data/corpus.json")["formats"] == {"192000 Hz, 1 channel(s)": 936}


def test_of_both_rates_in_one_tree_only_48_khz_is_read(release, tmp_path, capsys):
    both = tmp_path / "CaFE"
    shutil.copytree(release, both)
    write_release(both, rate_hz=192_000)
    parsed = cafe.parse(both)
    assert len(parsed.utterances) == 936
    assert all("CaFE_48k" in u.wav for u in parsed.utterances)
    assert Counter(parsed.dropped.values()) == {"192 kHz copy, the 48 kHz release was read": 936}
    assert "CaFE_192k_1/Neutre/03-N-1.aiff" in parsed.dropped
    prepare(cafe.CORPUS, both, tmp_path / "data")
    assert "left out: 936 x 192 kHz copy, the 48 kHz release was read" in capsys.readouterr().out


def test_a_fuller_192_khz_release_is_read_where_48_khz_is_only_begun(tmp_path):
    one_file(tmp_path, "CaFE_48k/Joie/Fort/01-J-2-1.wav")
    for sentence in (1, 2):
        one_file(tmp_path, f"CaFE_192k_1/Joie/Fort/01-J-2-{sentence}.wav", seed=sentence)
    parsed = cafe.parse(tmp_path)
    assert [u.utt_id for u in parsed.utterances] == ["cafe-01-01-J-2-1", "cafe-01-01-J-2-2"]
    assert parsed.dropped == {"CaFE_48k/Joie/Fort/01-J-2-1.wav": "48 kHz copy, the 192 kHz release was read"}


def test_hidden_copies_of_macos_are_no_utterances(tmp_path):
    for name in ("__MACOSX/Joie/Fort/01-J-2-1.aiff", "Joie/Fort/._01-J-2-1.aiff", "Joie/Fort/._01-J-2-2.wav"):
        one_file(tmp_path, name)
    assert cafe.parse(tmp_path).utterances == []


@pytest.mark.parametrize(
    "stem", ["13-C-1-1", "01-X-1-1", "01-C-3-1", "01-C-1-7", "01-N-2-1", "01-C-1", "1-C-1-1", "01-C-1-1 (2)"]
)
def test_a_name_outside_the_grammar_stops_with_the_name(tmp_path, stem):
    one_file(tmp_path, f"Joie/{stem}.wav")
    with pytest.raises(DataError, match=rf"^Joie/{stem.replace('(', '.').replace(')', '.')}\.wav: name does not"):
        cafe.parse(tmp_path)


def test_two_different_files_of_one_name_stop(tmp_path):
    one_file(tmp_path, "a/01-C-1-1.wav", seed=1)
    one_file(tmp_path, "b/01-C-1-1.wav", seed=2)
    with pytest.raises(DataError, match="'b/01-C-1-1.wav' and 'a/01-C-1-1.wav' differ"):
        cafe.parse(tmp_path)
