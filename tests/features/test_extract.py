"""Archives: right, readable by others, and the same however often the extraction was interrupted."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import soundfile
import torch

from ser.bin import extract_features
from ser.corpora.table import prepare_table
from ser.data import audio
from ser.data.data_dir import AudioPart, read_audio_parts
from ser.data.maps import read_map
from ser.errors import DataError, run_cli
from ser.features import compute, encoders
from ser.features import extract as module
from ser.features.config import FeatureConfig
from ser.features.extract import extract_stale, find_stale, read_features, up_to_date
from ser.features.frames import Frames
from ser.features.pool import pool
from ser.features.shortcut import shortcut
from ser.system.files import read_json, write_json
from tests.fakes.checkpoints import WRITERS
from tests.fakes.wav import write_wav
from tests.features.data_dir import (
    FBANK,
    PART,
    SHORTCUT,
    archive,
    content,
    extract,
    interrupted,
    read_scp,
    write_corpus,
    write_data_dir,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*mismatched.*mask:UserWarning"),
]


@pytest.mark.parametrize("upstream", ["fbank_no_cmvn", "wav2vec2_local", "wavlm_local", "byol_s"])
def test_an_archive_holds_what_each_utterance_gives_alone(upstream, tmp_path):
    data_dir, wavs = write_corpus(tmp_path, 5)
    ckpt = str(WRITERS[upstream](tmp_path / "ckpt.pt")) if upstream in WRITERS else None
    config = FeatureConfig(upstream=upstream, ckpt=ckpt, layer=0, pooling="mean+std")
    vectors = read_scp(extract(data_dir, tmp_path / "dump", config))
    assert list(vectors) == sorted(wavs)
    for utt in reversed(vectors):
        alone = encoders.load(upstream, ckpt, None, torch.device("cpu"))(audio.load(wavs[utt]))
        np.testing.assert_array_equal(vectors[utt], pool(alone, 0, "mean+std").numpy())
        assert vectors[utt].dtype == np.float32


def test_archives_are_kaldis_under_any_folder_name(tmp_path):
    data_dir, wavs = write_corpus(tmp_path / "räume mit leer", 3)
    folder = extract(data_dir, tmp_path / "räume mit leer" / "dump")
    expected = {utt: shortcut(audio.load(wav).numpy()) for utt, wav in wavs.items()}
    by_scp, by_ark = read_scp(folder), dict(kaldiio.load_ark(str(folder / "feats.ark")))
    by_mat = {utt: kaldiio.load_mat(place) for utt, place in read_map(folder / "feats.scp").items()}
    utts, rows = read_features(folder)
    for vectors in (by_scp, by_ark, by_mat, dict(zip(utts, rows, strict=True))):
        assert list(vectors) == list(expected)
        for utt, vector in vectors.items():
            np.testing.assert_array_equal(vector, expected[utt])
    assert sorted(content(folder)) == ["feats.ark", "feats.json", "feats.scp"]
    info = read_json(folder / "feats.json")
    assert (info["n"], info["dim"]) == (3, 7)
    assert info["made_from"]["feature"] == SHORTCUT.identity()


def test_bf16_is_stored_as_float32_and_differs(tmp_path):
    data_dir, _ = write_corpus(tmp_path, 2)
    ckpt = str(WRITERS["wavlm_local"](tmp_path / "ckpt.pt"))
    fp32, bf16 = (
        read_scp(extract(data_dir, tmp_path / "dump", FeatureConfig(upstream="wavlm_local", ckpt=ckpt, precision=p)))
        for p in ("fp32", "bf16")
    )
    for utt in fp32:
        assert bf16[utt].dtype == np.float32
        assert not np.array_equal(fp32[utt], bf16[utt])
        np.testing.assert_allclose(bf16[utt], fp32[utt], atol=0.1)


@pytest.mark.parametrize("fastest", ["fp32", "bf16"])
def test_auto_is_the_fastest_precision_and_says_so(fastest, tmp_path, monkeypatch, capsys):
    data_dir, _ = write_corpus(tmp_path, 2)
    own = FeatureConfig(upstream="wavlm_local", ckpt=str(WRITERS["wavlm_local"](tmp_path / "ckpt.pt")))
    monkeypatch.setattr(module, "fast_precision", lambda device: fastest)
    auto = extract(data_dir, tmp_path / "dump", own.model_copy(update={"precision": "auto"}))
    assert f"wavlm_local: {fastest} on 1 processes of one thread, the fastest here" in capsys.readouterr().out
    chosen = extract(data_dir, tmp_path / "dump", own.model_copy(update={"precision": fastest}))
    assert (auto / "feats.ark").read_bytes() == (chosen / "feats.ark").read_bytes()
    assert read_json(auto / "feats.json")["precision"] == fastest
    assert read_json(auto / "feats.json")["made_from"]["feature"]["precision"] == "auto"


def test_an_archive_is_never_of_two_precisions(tmp_path, monkeypatch):
    """Begun where bf16 is fastest, killed, and gone on with where it is not."""
    data_dir, _ = write_corpus(tmp_path, 2)
    ckpt = str(WRITERS["wavlm_local"](tmp_path / "ckpt.pt"))
    fp32, bf16, auto = (
        FeatureConfig(upstream="wavlm_local", ckpt=ckpt, precision=p) for p in ("fp32", "bf16", "auto")
    )
    expected = (extract(data_dir, tmp_path / "dump", fp32) / "feats.ark").read_bytes()
    begun = (extract(data_dir, tmp_path / "dump", bf16) / "feats.ark").read_bytes()
    folder = interrupted(data_dir, tmp_path / "dump", begun[: len(begun) // 2], auto)
    part = read_json(folder / f"{PART}.json")
    write_json(folder / f"{PART}.json", part | {"precision": "bf16"})
    monkeypatch.setattr(module, "fast_precision", lambda device: "fp32")
    assert extract(data_dir, tmp_path / "dump", auto) == folder
    assert (folder / "feats.ark").read_bytes() == expected


def test_the_number_of_workers_changes_nothing(tmp_path):
    data_dir, _ = write_corpus(tmp_path, 11)
    one, two = (extract(data_dir, tmp_path / f"dump{nj}", FBANK, nj) for nj in (1, 2))
    assert content(one)["feats.ark"] == content(two)["feats.ark"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, Path, Path]:
    """Give a data directory, its dump, and the folder of its finished archive; nobody changes them."""
    root = tmp_path_factory.mktemp("whole")
    data_dir, _ = write_corpus(root, 3)
    return data_dir, root / "dump", extract(data_dir, root / "dump")


def test_cut_at_any_byte_an_archive_comes_out_the_same(whole, tmp_path):
    data_dir, _, finished = whole
    ark = (finished / "feats.ark").read_bytes()
    assert len(ark) == 3 * (len("c-s-u00 ") + 10 + 7 * 4)
    for size in range(len(ark) + 1):  # empty, in a key, in a header, in a vector, between records, whole
        folder = interrupted(data_dir, tmp_path / str(size), ark[:size])
        assert extract(data_dir, tmp_path / str(size)) == folder
        assert archive(folder) == archive(finished), size


def test_what_was_written_is_not_computed_again(whole, tmp_path, monkeypatch):
    data_dir, _, finished = whole
    ark, computed = (finished / "feats.ark").read_bytes(), []
    original = compute._compute
    monkeypatch.setattr(compute, "_compute", lambda *args: (computed.append(args[-1][0]), original(*args))[1])
    interrupted(data_dir, tmp_path, ark[: len(ark) // 3 + 20])
    extract(data_dir, tmp_path)
    assert computed == ["c-s-u01", "c-s-u02"]
    extract(data_dir, tmp_path)
    assert len(computed) == 2


def test_killed_between_archive_and_index_it_is_made_again(whole, tmp_path):
    data_dir, _, finished = whole
    folder = interrupted(data_dir, tmp_path, (finished / "feats.ark").read_bytes())
    (folder / PART).rename(folder / "feats.ark")
    with pytest.raises(DataError, match="no finished features; run stage 3"):
        read_features(folder)
    assert archive(extract(data_dir, tmp_path)) == archive(finished)


def test_a_part_of_other_settings_or_other_audio_is_thrown_away(whole, tmp_path):
    data_dir, _, finished = whole
    for name, value in {"feature": {"upstream": "other"}, "audio": "0" * 32}.items():
        folder = interrupted(data_dir, tmp_path / name, b"c-s-u00 \0BFV \4\7\0\0\0" + b"\1" * 28)
        marks = read_json(folder / f"{PART}.json")
        write_json(folder / f"{PART}.json", marks | {name: value})
        assert archive(extract(data_dir, tmp_path / name)) == archive(finished)


def test_changed_audio_is_extracted_again_and_moved_audio_is_not(tmp_path, capsys):
    data_dir, wavs = write_corpus(tmp_path, 3)
    first = content(extract(data_dir, tmp_path / "dump"))
    moved = {utt: wav.rename(tmp_path / wav.name) for utt, wav in wavs.items()}
    write_data_dir(data_dir, moved)
    assert content(extract(data_dir, tmp_path / "dump")) == first
    assert capsys.readouterr().out.endswith("f: up to date\n")
    write_wav(moved["c-s-u01"], seed=99)
    write_data_dir(data_dir, moved)
    folder = extract(data_dir, tmp_path / "dump")
    np.testing.assert_array_equal(read_scp(folder)["c-s-u01"], shortcut(audio.load(moved["c-s-u01"]).numpy()))
    assert content(folder)["feats.ark"] != first["feats.ark"]


@pytest.mark.parametrize("config", [SHORTCUT, FBANK], ids=["shortcut", "fbank"])
def test_audio_that_stage_1_did_not_see_is_refused(config, tmp_path):
    """A file that is good, and another one; nothing vouches for its features, and restored it gives the archive."""
    data_dir, wavs = write_corpus(tmp_path, 3)
    expected = content(extract(data_dir, tmp_path / "dump", config))
    shutil.rmtree(tmp_path / "dump")
    good = wavs["c-s-u01"].read_bytes()
    write_wav(wavs["c-s-u01"], seed=99)
    with pytest.raises(
        DataError, match=r"^c-s-u01: .*1\.wav: is not the audio that stage 1 saw; .* run stage 1 again"
    ):
        extract(data_dir, tmp_path / "dump", config)
    wavs["c-s-u01"].write_bytes(good)
    assert content(extract(data_dir, tmp_path / "dump", config)) == expected


def test_segments_are_held_against_the_audio_of_their_file(tmp_path):
    """A table with times of more digits than `segments` has, and a whole file that `combine_data` gives times."""
    wav = write_wav(tmp_path / "a.wav", n_samples=16_000)
    table = f"path,speaker,emotion,start,end\n{wav},s,sad,0.12345678,0.5\n{wav},s,happy,0.5,0.9\n"
    (tmp_path / "t.csv").write_text(table)
    prepare_table(tmp_path / "t.csv", tmp_path / "data" / "lab")
    for part in read_audio_parts(tmp_path / "data" / "lab").values():
        part.check()
    AudioPart(str(wav), 0.0, 1.0, audio.probe(wav).audio_hash).check()
    write_wav(wav, seed=5, n_samples=16_000)
    for part in read_audio_parts(tmp_path / "data" / "lab").values():
        with pytest.raises(DataError, match="is not the audio that stage 1 saw"):
            part.check()


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_archive_is_refused(damage, tmp_path):
    data_dir, _ = write_corpus(tmp_path, 3)
    ark = extract(data_dir, tmp_path / "dump") / "feats.ark"
    whole = ark.read_bytes()
    ark.unlink()
    if damage != "gone":
        ark.write_bytes(whole[:-1] + (bytes([whole[-1] ^ 1]) if damage == "flipped" else b""))
    with pytest.raises(DataError, match=r"feats.ark is not what stage 3 wrote; delete .*/c and run stage 3 again"):
        read_features(ark.parent)
    if damage != "gone":
        shutil.rmtree(ark.parent)
    assert (extract(data_dir, tmp_path / "dump") / "feats.ark").read_bytes() == whole


def test_an_older_index_does_not_vouch_for_a_newer_archive(tmp_path, monkeypatch):
    """Killed after the new archive took its place, then the audio goes back to what it was."""
    data_dir, wavs = write_corpus(tmp_path, 2)
    old = wavs["c-s-u00"].read_bytes()
    first = content(extract(data_dir, tmp_path / "dump"))
    write_wav(wavs["c-s-u00"], seed=99)
    write_data_dir(data_dir, wavs)
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_text", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt, match="^$"):
            extract(data_dir, tmp_path / "dump")
    wavs["c-s-u00"].write_bytes(old)
    write_data_dir(data_dir, wavs)
    assert content(extract(data_dir, tmp_path / "dump")) == first


def test_settings_do_not_share_archives(tmp_path):
    data_dir, _ = write_corpus(tmp_path, 2)
    ckpt = str(WRITERS["wavlm_local"](tmp_path / "1.pt", seed=1))
    other = str(WRITERS["wavlm_local"](tmp_path / "2.pt", seed=2))
    base = {"upstream": "wavlm_local", "ckpt": ckpt}
    changes = [{}, {"layer": 1}, {"layer": 0}, {"pooling": "mean+std"}, {"precision": "bf16"}, {"ckpt": other}]
    configs = [FeatureConfig(**base | change) for change in changes]
    vectors = [read_scp(extract(data_dir, tmp_path / "dump", config))["c-s-u00"].tobytes() for config in configs]
    assert len(set(vectors)) == len(vectors)
    for config, vector in zip(configs, vectors, strict=True):
        assert up_to_date(config, data_dir, folder := tmp_path / "dump" / config.folder("f") / "c")
        assert read_scp(folder)["c-s-u00"].tobytes() == vector


def test_several_corpora_and_features_in_one_call(tmp_path, capsys):
    dirs = []
    for i, name in enumerate(("b", "a")):
        wav = write_wav(tmp_path / f"{name}.wav", i, 1000)
        dirs.append(write_data_dir(tmp_path / "data" / name, {f"{name}-s-u": wav}))
    features = [("shortcut", SHORTCUT), ("fbank", FBANK)]
    extract_stale(features, dirs, tmp_path / "dump", 1, "cpu")
    for name, config in features:
        for data_dir in dirs:
            assert read_features(tmp_path / "dump" / config.folder(name) / data_dir.name)[0] == [
                f"{data_dir.name}-s-u"
            ]
    capsys.readouterr()
    extract_stale(features, dirs, tmp_path / "dump", 1, "cpu")
    assert capsys.readouterr().out == "shortcut: up to date\nfbank: up to date\n"


def no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0), 16_000)


def not_finite(path: Path) -> None:
    soundfile.write(path, np.array([0.1, np.nan, np.inf] * 500), 16_000, subtype="FLOAT")


DAMAGES = {
    "vanished": Path.unlink,
    "garbage": lambda path: path.write_bytes(b"RIFF" + b"\1" * 500),
    "no samples": no_samples,
    "not finite": not_finite,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("config", [SHORTCUT, FBANK], ids=["shortcut", "fbank"])
def test_audio_that_went_bad_after_stage_1_is_named(damage, config, tmp_path):
    data_dir, wavs = write_corpus(tmp_path, 4)
    good = wavs["c-s-u02"].read_bytes()
    DAMAGES[damage](wavs["c-s-u02"])
    with pytest.raises(DataError, match=r"^c-s-u02: .*2\.wav"):
        extract(data_dir, tmp_path / "dump", config)
    folder = tmp_path / "dump" / config.folder("f") / "c"
    assert not up_to_date(config, data_dir, folder)
    assert not {"feats.ark", "feats.scp", "feats.json"} & set(os.listdir(folder))
    with pytest.raises(DataError, match="no finished features; run stage 3"):
        read_features(folder)
    wavs["c-s-u02"].write_bytes(good)
    extract(data_dir, tmp_path / "dump", config)
    assert read_features(folder)[0] == sorted(wavs)


def test_features_that_are_not_finite_are_refused(tmp_path, monkeypatch):
    data_dir, _ = write_corpus(tmp_path, 2)
    for bad in (np.float32([1, np.nan]), np.float32([1, np.inf]), np.float32([[0, 1], [-np.inf, 0]])):
        monkeypatch.setattr(compute, "_extractor", lambda *_, bad=bad: lambda wavs: [bad])
        with pytest.raises(DataError, match=r"c-s-u00: its features are not finite; listen to '.*0\.wav'"):
            extract(data_dir, tmp_path / "dump", FBANK)
    monkeypatch.undo()


def test_workers_do_not_run_away_from_the_writer():
    """At most as many results wait as allowed, and they come in order."""
    submitted: list[int] = []

    class Pool:
        def submit(self, function, item):
            submitted.append(item)
            future = Future()
            future.set_result(function(item))
            return future

    for taken, result in enumerate(compute._in_order(Pool(), lambda n: n * n, range(20), ahead=4)):
        assert result == taken**2
        assert len(submitted) <= taken + 4
    assert submitted == list(range(20))


def test_without_a_data_directory_its_file_is_named(tmp_path):
    with pytest.raises(DataError, match="data/none/wav.scp is missing; run the stage that writes it"):
        extract(tmp_path / "data" / "none", tmp_path / "dump")


def command_line(tmp_path: Path, data_dir: Path, *options: str) -> list[str]:
    (tmp_path / "f.yaml").write_text("upstream: fbank_no_cmvn\npooling: mean+std\n")
    paths = [str(data_dir), str(tmp_path / "dump")]
    return [sys.executable, "-m", "ser.bin.extract_features", "--config", str(tmp_path / "f.yaml"), *options, *paths]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("nj", ["1", "2"])
def test_killed_in_the_middle_it_goes_on_and_comes_out_the_same(nj, tmp_path):
    """The 41st of 60 files is a named pipe: whoever opens it waits, and then its parent is killed."""
    data_dir, wavs = write_corpus(tmp_path, 60, n_samples=1500)
    finished = extract(data_dir, tmp_path / "undisturbed", FBANK)
    pipe = wavs["c-s-u40"]
    good = pipe.read_bytes()
    pipe.unlink()
    os.mkfifo(pipe)
    folder = tmp_path / "dump" / finished.parent.name / "c"
    process = subprocess.Popen(command_line(tmp_path, data_dir, "--nj", nj, "--device", "cpu"))
    writer = wait_for_reader(pipe, process)
    wait_until(lambda: (folder / PART).stat().st_size > 0)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    readers = select.poll()
    readers.register(writer, 0)
    assert readers.poll(30_000) == [(writer, select.POLLERR)], "a worker outlived its killed parent"
    os.close(writer)
    pipe.unlink()
    pipe.write_bytes(good)
    part = (folder / PART).read_bytes()
    assert 0 < len(part) < len((finished / "feats.ark").read_bytes())
    assert (finished / "feats.ark").read_bytes().startswith(part)
    assert not (folder / "feats.json").exists()
    for utt in list(wavs)[: len(part) // 2000]:  # written, at 1,938 bytes a record: they are not needed again
        wavs[utt].unlink()
    assert extract(data_dir, tmp_path / "dump", FBANK) == folder
    assert archive(folder) == archive(finished)


def wait_until(holds: Callable[[], object], limit_s: float = 60) -> None:
    """Look every 10 ms whether something holds."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, f"not within {limit_s} s"
        time.sleep(0.01)


def wait_for_reader(pipe: Path, process: subprocess.Popen[bytes]) -> int:
    """Open a named pipe for writing as soon as somebody reads it."""
    opened: list[int] = []

    def has_reader() -> bool:
        assert process.poll() is None, "the process ended before it came to the pipe"
        with contextlib.suppress(OSError):
            opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    wait_until(has_reader)
    return opened[0]


def test_command_line_refuses_in_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", command_line(tmp_path, tmp_path, "--nj", "0")[2:])
    with pytest.raises(SystemExit, match="^2$"):
        run_cli(extract_features.main)
    message = "error: extract_features needs a data directory, a dump directory and --nj of at least 1\n"
    assert capsys.readouterr().err == message


def test_two_runs_at_once_wait_for_each_other(whole, tmp_path):
    """Recipes share archives: whoever comes second finds the first one's and adds nothing."""
    data_dir, _, finished = whole
    code = (
        "import sys; from pathlib import Path; from tests.features.data_dir import extract; "
        "extract(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    root = Path(__file__).parents[2]
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(data_dir), str(tmp_path / "dump")], cwd=root)
        for _ in range(2)
    ]
    assert [process.wait() for process in both] == [0, 0]
    (ark,) = (tmp_path / "dump").rglob("feats.ark")
    assert ark.read_bytes() == (finished / "feats.ark").read_bytes()


# ---- Several archives of one corpus ----------------------------------------------------------------------------


@pytest.fixture
def in_twos(monkeypatch) -> list[str]:
    """Archives of two utterances each; names of those of five."""
    monkeypatch.setattr(module, "PER_ARCHIVE", 2)
    return ["feats.1.ark", "feats.2.ark", "feats.3.ark"]


@pytest.mark.parametrize("config", [SHORTCUT, FeatureConfig(upstream="fbank_no_cmvn", pooling="none")])
def test_a_large_corpus_has_several_archives_with_the_same_records(config, tmp_path, in_twos, monkeypatch):
    data_dir, wavs = write_corpus(tmp_path, 5)
    several = extract(data_dir, tmp_path / "dump", config)
    with monkeypatch.context() as patch:
        patch.setattr(module, "PER_ARCHIVE", 10)
        whole = extract(data_dir, tmp_path / "one", config)
    assert sorted(p.name for p in several.glob("*.ark*")) == in_twos
    assert b"".join((several / name).read_bytes() for name in in_twos) == (whole / "feats.ark").read_bytes()
    found, expected = read_scp(several), read_scp(whole)
    assert list(found) == list(expected) == list(wavs)
    assert all(np.array_equal(found[utt], expected[utt]) for utt in wavs)
    if config.is_sequence:
        frames = Frames.of([several])
        assert all(np.array_equal(frames[utt], expected[utt]) for utt in wavs)
        assert content(several)["utt2num_frames"] == content(whole)["utt2num_frames"]
    else:
        utts, x = read_features(several)
        assert utts == list(wavs) and np.array_equal(x, np.stack(list(expected.values())))
        (several / "feats.2.ark").write_bytes(b"?" + (several / "feats.2.ark").read_bytes()[1:])
        with pytest.raises(DataError, match=r"feats\.2\.ark is not what stage 3 wrote"):
            read_features(several)


def test_archives_are_jobs_that_end_in_any_order_on_any_machine(tmp_path, in_twos, capsys):
    data_dir, wavs = write_corpus(tmp_path, 5)
    jobs = find_stale([("f", SHORTCUT)], [data_dir], tmp_path / "dump")
    folder = tmp_path / "dump" / SHORTCUT.folder("f") / "c"
    assert [job.archive for job in jobs] == [1, 2, 3]
    for job, said in zip((jobs[2], jobs[0]), ("feats.3.ark", "feats.1.ark"), strict=True):
        module.extract([job], tmp_path / "dump", 1, "cpu")
        assert f"{said}; other archives are missing" in capsys.readouterr().out
        assert not up_to_date(SHORTCUT, data_dir, folder)
    written = (folder / "feats.1.ark").stat()
    module.extract(jobs, tmp_path / "dump", 1, "cpu")  # all again: those that are there stay
    assert up_to_date(SHORTCUT, data_dir, folder) and list(read_scp(folder)) == list(wavs)
    kept = (folder / "feats.1.ark").stat()
    assert (kept.st_ino, kept.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)  # reading changes st_atime
    assert sorted(content(folder)) == [*in_twos, "feats.json", "feats.scp"]


def test_archives_of_a_corpus_that_was_larger_are_removed(tmp_path, in_twos):
    data_dir, wavs = write_corpus(tmp_path, 5)
    extract(data_dir, tmp_path / "dump")
    write_data_dir(data_dir, {utt: wavs[utt] for utt in list(wavs)[:2]})
    folder = extract(data_dir, tmp_path / "dump")
    assert sorted(content(folder)) == ["feats.ark", "feats.json", "feats.scp"]
    assert list(read_scp(folder)) == list(wavs)[:2]


def test_machines_that_choose_different_precisions_are_told(tmp_path, in_twos, monkeypatch):
    data_dir, _ = write_corpus(tmp_path, 3)
    jobs = find_stale([("f", SHORTCUT)], [data_dir], tmp_path / "dump")
    module.extract(jobs[:1], tmp_path / "dump", 1, "cpu")
    monkeypatch.setattr(module, "_fitting", lambda config, *_: config.model_copy(update={"precision": "bf16"}))
    with pytest.raises(DataError, match="archives of bf16 and fp32, because machines differ; set 'precision'"):
        module.extract(jobs[1:], tmp_path / "dump", 1, "cpu")
