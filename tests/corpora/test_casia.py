from collections import Counter

import pytest

from ser.corpora import casia
from ser.corpora.base import prepare
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import read_json
from tests.fakes.casia import write_release
from tests.fakes.wav import write_wav

SPEAKERS = ("casia-liuchanhg", "casia-wangzhe", "casia-zhaoquanyin", "casia-zhaozuoxiang")
EMOTIONS = ("angry", "fearful", "happy", "neutral", "sad", "surprised")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("casia") / "CASIA")


def facts(utterance):
    return {f: getattr(utterance, f) for f in ("utt_id", "speaker", "emotion", "gender", "text_id")}


def test_subset_has_the_published_counts(release):
    utterances = casia.parse(release).utterances
    assert len(utterances) == len({u.utt_id for u in utterances}) == 1200
    cells = Counter((u.speaker, u.emotion) for u in utterances)
    assert cells == {(s, e): 50 for s in SPEAKERS for e in EMOTIONS}
    assert casia.CORPUS.counts == {e: 200 for e in EMOTIONS}
    assert Counter(u.text_id for u in utterances) == {str(n): 24 for n in range(201, 251)}


def test_prepares_to_a_valid_data_directory(release, tmp_path, capsys):
    prepare(casia.CORPUS, release, tmp_path / "casia")
    assert validate_data_dir(tmp_path / "casia") == []
    info = read_json(tmp_path / "casia/corpus.json")
    assert (info["release"], info["n_utterances"], info["n_speakers"]) == ("full", 1200, 4)


def test_stems_that_all_folders_share_do_not_collide_where_stem_and_speaker_would(tmp_path):
    for emotion in ("angry", "sad"):
        write_wav(tmp_path / f"wangzhe/{emotion}/201.wav")
    ids = [u.utt_id for u in casia.parse(tmp_path).utterances]
    assert ids == ["casia-wangzhe-angry-201", "casia-wangzhe-sad-201"]


def test_copies_flat_by_emotion_give_the_same_utterances(release, tmp_path):
    flat = casia.parse(write_release(tmp_path / "CASIA", layout="emotion")).utterances
    assert sorted(map(str, map(facts, flat))) == sorted(map(str, map(facts, casia.parse(release).utterances)))


def test_wrapper_folders_with_mangled_names_are_looked_through(tmp_path):
    write_wav(tmp_path / "CASIA╟щ╕╨╙я┴╧┐т/data/wangzhe/fear/250.wav")
    (utterance,) = casia.parse(tmp_path).utterances
    assert facts(utterance) == {
        "utt_id": "casia-wangzhe-fear-250", "speaker": "casia-wangzhe", "emotion": "fearful", "gender": "m",
        "text_id": "250",
    }  # fmt: skip


@pytest.mark.parametrize("spelling", ["ZhaoZuoxiang", "zhaozuoxiang", "ZHAOZUOXIANG", "Zuoxiang.Zhao"])
def test_spellings_are_one_speaker_where_a_folder_name_would_make_several(tmp_path, spelling):
    write_wav(tmp_path / f"{spelling}/sad/201.wav")
    (utterance,) = casia.parse(tmp_path).utterances
    assert (utterance.speaker, utterance.gender) == ("casia-zhaozuoxiang", "m")


def test_full_corpus_has_four_speakers_and_six_emotions_where_folder_names_would_make_eight_and_seven(
    tmp_path,
):
    utterances = casia.parse(write_release(tmp_path / "CASIA", "full", n_same=3, n_different=2)).utterances
    assert len({u.utt_id for u in utterances}) == len(utterances) == 4 * 6 * (3 + 2)
    assert Counter((u.speaker, u.emotion) for u in utterances) == {(s, e): 5 for s in SPEAKERS for e in EMOTIONS}
    assert Counter(u.emotion_native for u in utterances)["normal"] == 4 * 2


def test_different_text_part_shares_numbers_but_neither_ids_nor_texts_with_the_same_text_part(tmp_path):
    write_wav(tmp_path / "相同文本300/liuchanhg/angry/001.wav", 1)
    write_wav(tmp_path / "不同文本100/Chang.Liu/angry/001.wav", 2)
    write_wav(tmp_path / "不同文本100/Chang.Liu/normal/001.wav", 3)
    found = {u.utt_id: (u.speaker, u.emotion, u.emotion_native, u.text_id) for u in casia.parse(tmp_path).utterances}
    speaker = "casia-liuchanhg"
    assert found == {
        f"{speaker}-angry-001": (speaker, "angry", "angry", "001"),
        f"{speaker}-different-angry-001": (speaker, "angry", "angry", "different-angry-001"),
        f"{speaker}-different-normal-001": (speaker, "neutral", "normal", "different-normal-001"),
    }


def test_full_corpus_validates_when_accepted_as_other_than_the_subset(tmp_path, capsys):
    release = write_release(tmp_path / "CASIA", "full", n_same=2, n_different=1)
    with pytest.raises(DataError, match="counts that differ from the full release"):
        prepare(casia.CORPUS, release, tmp_path / "data")
    prepare(casia.CORPUS, release, tmp_path / "data", allow_partial=True)
    assert validate_data_dir(tmp_path / "data") == []


@pytest.mark.parametrize(
    "name",
    ["lisi/angry/201.wav", "wangzhe/bored/201.wav", "angry/201.wav", "wangzhe/angry/a.wav", "201-angry.wav"],
)
def test_a_path_outside_the_grammar_stops_with_the_name(tmp_path, name):
    write_wav(tmp_path / name)
    with pytest.raises(DataError, match=f"^{name}: path does not follow"):
        casia.parse(tmp_path)


def test_one_utterance_in_two_layouts_stops_and_does_not_collapse(tmp_path):
    write_wav(tmp_path / "angry/201-angry-wangzhe.wav", 1)
    write_wav(tmp_path / "wangzhe/angry/201.wav", 2)
    with pytest.raises(DataError, match="'wangzhe/angry/201.wav' and 'angry/201-angry-wangzhe.wav' are one"):
        casia.parse(tmp_path)
