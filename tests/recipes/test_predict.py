"""`predict` and `export` with rows of a finished recipe: stage 5's numbers, any audio, any place."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from ser.bin import export, predict
from ser.errors import ConfigError
from tests.fakes.wav import write_wav

ROOT = Path(__file__).parents[2]
ROWS = ("source_only", "source_only_corpus", "btl", "emofsl_speaker", "fstl_corpus", "btl_classifier", "support_only",
        "in_domain")  # fmt: skip


@pytest.fixture(autouse=True)
def no_pickles(monkeypatch):
    """Nothing is unpickled, and the tests after compute with as many threads as those before."""
    import lightning_fabric.utilities.load  # noqa: F401  it builds on what is taken away here

    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for module, name in ((pickle, "load"), (pickle, "loads"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)
    n_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(n_threads)


def folder(finished, row: str) -> Path:
    return finished.exp / f"{row}-fbank_no_cmvn" / "seed1"


def run(capsys, *args: object) -> tuple[list[dict], str, int]:
    """Call the command line: its lines, what it says, and its exit code."""
    code = 0
    try:
        predict.main([str(arg) for arg in args])
    except SystemExit as exit:
        code = exit.code
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err, code


def test_python_gives_the_lines_of_the_command_line(finished, capsys, tmp_path):
    import ser

    audio = write_wav(tmp_path / "a.wav", n_samples=32_000)
    lines, _, _ = run(capsys, "--model", folder(finished, "btl"), audio)
    model = ser.load_model(folder(finished, "btl"))
    assert model.predict(audio) == model.predict([str(audio)]) == lines
    assert model.classes == sorted(lines[0]["probabilities"])
    with pytest.raises(ConfigError, match="the speaker of .* is not known; give speakers, or one_speaker=True"):
        ser.load_model(folder(finished, "emofsl_speaker")).predict(audio)


def test_the_notebook_runs(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_MODEL", str(folder(finished, "btl")))
    monkeypatch.setenv("SER_AUDIO", str(write_wav(tmp_path / "a.wav", n_samples=8_000)))  # longer audio is windowed
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text())["cells"]
    space: dict = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), space)
    assert len(space["lines"]) == 1 and space["matrix"].loc["emofsl", 5] > 25


@pytest.mark.parametrize("row", ROWS)
def test_the_recipes_own_test_list_gives_stage_5s_predictions_to_the_last_digit(row, finished, capsys, tmp_path):
    exp, data = folder(finished, row), finished.root / "data_mini" / "emodb"
    text = pd.read_csv(exp / "predictions.tsv", sep="\t", dtype=str, keep_default_na=False)
    for (split, shots, draw), cell in list(text.groupby(["split", "shots", "draw"]))[::7]:
        which = ["--split", split, *(["--shots", shots, "--draw", draw] if shots != "0" else [])]
        wanted = cell.set_index("utt_id")
        if row.endswith("speaker"):  # statistics are of all that a speaker said
            lines, _, code = run(capsys, "--model", exp, "--scores", *which, data)
        else:
            scp = tmp_path / "wav.scp"
            paths = dict(line.split(" ", 1) for line in (data / "wav.scp").read_text().splitlines())
            scp.write_text("".join(f"{utt} {paths[utt]}\n" for utt in wanted.index))
            lines, _, code = run(capsys, "--model", exp, "--scores", "--together", *which, "--wav_scp", scp)
            assert [line["utt"] for line in lines] == list(wanted.index)
        assert code == 0
        found = {line["utt"]: line for line in lines}
        for utt, expected in wanted.iterrows():
            assert found[utt]["label"] == expected["pred"]
            told = {name: f"{score:.6g}" for name, score in found[utt]["scores"].items()}
            assert told == {name: expected[name] for name in told}


def test_streamed_lines_differ_by_rounding_alone(finished, capsys):
    exp, data = folder(finished, "btl"), finished.root / "data_mini" / "emodb"
    together, _, _ = run(capsys, "--model", exp, "--scores", "--together", data)
    streamed, said, code = run(capsys, "--model", exp, "--scores", data)
    assert (len(streamed), code) == (200, 0)
    assert said.splitlines()[-1].startswith("  ") or "200 files: 200 lines predicted" in said
    for a, b in zip(together, streamed, strict=True):
        assert (a["utt"], a["label"], a["warnings"]) == (b["utt"], b["label"], b["warnings"])
        assert list(a["scores"].values()) == pytest.approx(list(b["scores"].values()), rel=2e-5)


def test_lines_say_what_help_says(finished, capsys, tmp_path):
    wav = finished.root / "data_mini" / "corpora"
    file = next(iter(sorted(wav.rglob("*.wav"))))
    (line,), said, code = run(capsys, "--model", folder(finished, "btl"), file)
    assert code == 0
    assert list(line) == [
        "utt",
        "path",
        "start",
        "end",
        "label",
        "probabilities",
        "calibrated_on",
        "distance",
        "warnings",
    ]
    assert line["utt"] == line["path"] == str(file)
    assert list(line["probabilities"]) == ["angry", "happy", "neutral", "sad"]
    assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert line["label"] == max(line["probabilities"], key=line["probabilities"].get)
    assert (line["start"], line["end"]) == (0.0, pytest.approx(soundfile.info(file).duration, abs=1e-3))
    assert line["calibrated_on"] == ["emodb"]  # by support utterances that were left out
    assert said.splitlines()[-1].startswith("1 files: 1 lines predicted") or line["warnings"]
    (line,), _, _ = run(capsys, "--model", folder(finished, "source_only"), file)
    assert line["calibrated_on"] == ["ravdess"]
    (line,), _, _ = run(capsys, "--model", folder(finished, "in_domain"), file)
    assert line["calibrated_on"] == []  # it trains on the target alone, and dev is of the source


def test_below_a_probability_there_is_no_label(finished, capsys):
    wav = next(iter(sorted((finished.root / "data_mini" / "corpora").rglob("*.wav"))))
    (sure,), _, _ = run(capsys, "--model", folder(finished, "btl"), wav)
    most = max(sure["probabilities"].values())
    for least, label in ((most - 0.001, sure["label"]), (min(1, most + 0.001), None)):
        (line,), said, code = run(capsys, "--model", folder(finished, "btl"), "--abstain", least, wav)
        assert (line["label"], line["probabilities"], code) == (label, sure["probabilities"], 0)
        assert ("1 abstained" in said) == (label is None)


def test_long_audio_is_cut_into_windows_with_times(finished, capsys, tmp_path):
    write_wav(tmp_path / "long.wav", n_samples=16000 * 20)
    lines, _, _ = run(capsys, "--model", folder(finished, "source_only"), "--window", 8, "--hop", 5, tmp_path)
    assert [(line["start"], line["end"]) for line in lines] == [(0, 8), (5, 13), (10, 18), (12, 20)]
    lines, _, _ = run(capsys, "--model", folder(finished, "source_only"), "--window", 20, tmp_path)
    assert [(line["start"], line["end"]) for line in lines] == [(0, 20)]
    by_default, _, _ = run(capsys, "--model", folder(finished, "source_only"), tmp_path)
    assert len(by_default) > 4  # miniature speech is short
    with pytest.raises(ConfigError, match="--window 4 --hop 5: .* the hop must not exceed the window"):
        run(capsys, "--model", folder(finished, "source_only"), "--window", 4, "--hop", 5, tmp_path)


def test_every_file_gets_one_line_whatever_it_is(finished, capsys, tmp_path):
    rng, good = np.random.default_rng(0), sorted((finished.root / "data_mini" / "corpora").rglob("*.wav"))
    kinds = {
        "noise.wav": lambda p: soundfile.write(p, rng.normal(0, 0.1, 16000), 16000),
        "silence.wav": lambda p: soundfile.write(p, np.zeros(int(rng.integers(1, 9000))), 8000),
        "truncated.wav": lambda p: p.write_bytes(good[0].read_bytes()[: int(rng.integers(50, 5000))]),
        "empty.wav": lambda p: p.touch(),
        "text.wav": lambda p: p.write_text("no audio\n" * 50),
        "stereo.flac": lambda p: soundfile.write(p, rng.normal(0, 0.1, (22050, 2)), 44100),
        "speech.ogg": lambda p: soundfile.write(p, soundfile.read(good[1])[0], 16000),
        "good.wav": lambda p: shutil.copy(good[int(rng.integers(len(good)))], p),
        "one sample.wav": lambda p: soundfile.write(p, np.array([0.5]), 16000),
        "nan.wav": lambda p: soundfile.write(p, np.full(9000, np.nan), 16000, subtype="FLOAT"),
    }
    odd = os.fsdecode(b"\xff odd name.wav")
    for i in range(100):
        name, write = list(kinds.items())[i % 10]
        write(tmp_path / (f"{i:03d} {name}" if i != 7 else f"007 good.wav {odd}"))
    lines, said, code = run(capsys, "--model", folder(finished, "emofsl"), tmp_path)
    assert [line["path"] for line in lines] == [str(path) for path in sorted(tmp_path.iterdir())]
    failed = {Path(line["path"]).name[4:] for line in lines if "error" in line}
    assert failed == {"truncated.wav", "empty.wav", "text.wav", "nan.wav"}
    assert sum("error" in line for line in lines) == 40
    assert code == 1
    assert "100 files: 60 lines predicted" in said and "40 errors" in said
    for line in lines:
        assert ("label" in line) != ("error" in line)
        if "silence" in line["path"]:
            assert "silent" in line["warnings"]
        if "one sample" in line["path"]:
            assert "too_short" in line["warnings"]
        if "noise" in line["path"]:
            assert "far_from_training_data" in line["warnings"]


def test_a_row_with_statistics_of_speakers_asks_who_speaks(finished, capsys, tmp_path):
    exp, data = folder(finished, "btl_speaker"), finished.root / "data_mini" / "emodb"
    files = [line.split(" ", 1)[1] for line in (data / "wav.scp").read_text().splitlines()][:6]
    with pytest.raises(ConfigError, match="the speaker of '.*' is not known; give --utt2spk FILE, or --one_speaker"):
        run(capsys, "--model", exp, *files)
    one, _, _ = run(capsys, "--model", exp, "--one_speaker", *files)
    (tmp_path / "utt2spk").write_text("".join(f"u{i} {'ab'[i // 3]}\n" for i in range(6)))
    (tmp_path / "list.scp").write_text("".join(f"u{i} {file}\n" for i, file in enumerate(files)))
    two, _, _ = run(
        capsys, "--model", exp, "--utt2spk", tmp_path / "utt2spk", "--wav_scp", tmp_path / "list.scp"
    )  # fmt: skip
    first, _, _ = run(capsys, "--model", exp, "--one_speaker", *files[:3])
    told = [[line["probabilities"] for line in lines] for lines in (one, two, first)]
    assert told[1][:3] == told[2] != told[0][:3]
    [alone], _, code = run(capsys, "--model", exp, "--one_speaker", files[0])
    assert (code, "label" in alone) == (1, False) and "is the only utterance of its speaker" in alone["error"]


def test_an_exported_folder_works_alone(finished, tmp_path, capsys):
    """On another machine there are the package and the folder."""
    export.main([str(folder(finished, "emofsl")), str(tmp_path / "made")])
    assert "wrote" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="made: already exists"):
        export.main([str(folder(finished, "emofsl")), str(tmp_path / "made")])
    file = sorted((finished.root / "data_mini" / "corpora").rglob("*.wav"))[0]
    shutil.copytree(tmp_path / "made", tmp_path / "elsewhere" / "model")
    result = finished.python("predict", "--model", "model", file, folder=tmp_path / "elsewhere")
    assert result.returncode == 0, result.stderr
    (line,), _, _ = run(capsys, "--model", folder(finished, "emofsl"), file)
    assert json.loads(result.stdout) == line


def test_the_card_tells_data_protocol_numbers_limits_and_licences(finished):
    card = (folder(finished, "emofsl_corpus") / "README.md").read_text()
    metrics = json.loads((folder(finished, "emofsl_corpus") / "metrics.json").read_text())
    for heading in ("Use", "Data", "Numbers", "Limits", "Environment"):
        assert f"\n## {heading}\n" in card
    texts = (
        "CC BY-NC-SA 4.0",
        "cite Burkhardt",
        "MINIATURE CORPORA",
        "k labelled utterances of each class",
        "audio of its training speakers, without labels",
        "| neutral | neutral | neutral, calm |",
    )
    for text in texts:
        assert text in card
    for shots, scores in metrics["conditions"].items():
        assert f"| {shots} shots | {100 * scores['uar']:.1f} |" in card
    assert max(len(line) for line in card.splitlines() if not line.startswith(("|", "-", "ser "))) <= 118


def test_what_nobody_can_predict(finished, capsys, tmp_path):
    with pytest.raises(ConfigError, match="predict needs AUDIO or --wav_scp FILE"):
        run(capsys, "--model", folder(finished, "btl"))
    with pytest.raises(ConfigError, match="holds no model.json"):
        run(capsys, "--model", finished.exp, tmp_path / "a.wav")
    (line,), _, code = run(capsys, "--model", folder(finished, "btl"), tmp_path / "a.wav")
    assert (line["error"], code) == ("cannot be read (No such file or directory)", 1)
