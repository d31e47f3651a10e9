"""The matrix on miniature corpora, from raw audio to the page; a pair has the predictions of its few-shot recipe."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ser.bin import meta_validation, test_speakers
from ser.errors import ConfigError
from ser.results.record import read_record
from tests.fakes.wav import write_wav
from tests.recipes.conftest import ROOT, copy_tree

ROWS = ("source_only", "btl", "fstl", "emofsl", "lr_source", "lr_corpus", "svc_source", "support_only", "in_domain",
        "shortcut_source", "shortcut")  # fmt: skip


def test_a_pair_of_the_matrix_is_its_few_shot_recipe(finished, own):
    conf = own.root / "egs" / "transfer" / "conf"
    tables = [
        own.root / "conf" / "rows" / f"{name}.tsv"
        for name in ("transfer", "transfer_more", "transfer_adapted", "transfer_emofsl")
    ]
    header, *lines = [line for table in tables for line in table.read_text().splitlines()]
    kept = [header, *("\t".join(line.split("\t")[:8]) for line in lines if line.split("\t")[0] in ROWS)]
    assert len(kept) == 1 + len(ROWS)
    (conf / "runs.tsv").write_text("\n".join(kept) + "\n")
    recipe = yaml.safe_load((conf / "recipe.yaml").read_text())
    (conf / "recipe.yaml").write_text(yaml.safe_dump(recipe | {"headline": {"row": "btl"}}))
    page = own.page("transfer")
    exp = own.root / "egs" / "transfer" / "exp_mini"
    for row in ("source_only", "btl", "fstl", "emofsl", "support_only", "in_domain"):
        found, expected = (
            pd.read_csv(folder / f"{row}-fbank_no_cmvn" / "seed1" / "predictions.tsv", sep="\t")
            for folder in (exp / "four_class", finished.exp)
        )
        found = found[found["split"].str.startswith("ravdess-emodb.")]
        found = found.assign(split=found["split"].str.partition(".")[2]).reset_index(drop=True)
        expected = expected[(expected["shots"].isin([0, 5])) & (expected["draw"] <= 1)].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected, rtol=1e-4)
    (matrix,) = read_record(exp / "RESULTS.json")["matrices"]
    assert [(row["label"], row["shots"]) for row in matrix["rows"] if row.get("headline")] == [("btl", 5)]
    assert {(cell["source"], cell["target"]) for row in matrix["rows"] for cell in row["cells"]} == {
        ("ravdess", "emodb"), ("urdu", "emodb"), ("urdu", "ravdess"),
    }  # fmt: skip
    assert "The system btl, fbank_no_cmvn, 5 shots, is the one that the recipe" in page
    assert "of them with one class only" in page or "speakers;" in page
    assert (exp / "figures" / "matrix-four_class.png").exists()
    assert not list(exp.rglob("model.json"))  # a matrix has many models, and no folder for the use of one
    again = own.run("--nj", "1", script=own.root / "egs" / "transfer" / "run.sh")
    assert again.returncode == 0 and "results: up to date" in (exp / "log" / "results.log").read_text()
    folders = {"recipe": exp.parent, "data": own.root / "data_mini", "dump": own.root / "dump_mini",
               "splits": exp / "splits", "exp": exp}  # fmt: skip
    options = ["--mini", "true", *(str(text) for name, path in folders.items() for text in (f"--{name}", path))]
    meta_validation.main([*options, "--row", "lr_corpus", "--grid", "inverse_penalty=1e-4|1.0"])
    targets = json.loads((exp / "meta_validation.json").read_text())["targets"]
    assert {name: found["directions"] for name, found in targets.items()} == {
        "emodb": ["urdu-ravdess"], "ravdess": ["urdu-emodb"],
    }  # fmt: skip
    for found in targets.values():  # the row itself is one of the settings
        assert found["uar"] >= found["uar_as_it_is"] == max(
            t["uar"] for t in found["trials"] if t["settings"] in ([], ["inverse_penalty=1.0"])
        )  # fmt: skip
    with pytest.raises(ConfigError, match="--row source_only: it is random or starts from another row"):
        meta_validation.main([*options, "--row", "source_only", "--grid", "epochs=1"])
    test_speakers.main(
        [*options, "--systems", "lr_corpus", "--draws", "1", "--test_speakers", "as they are", "skewed 8"]
    )
    page = own.page("transfer")
    (matrix,) = read_record(exp / "RESULTS.json")["matrices"]
    mean = next(row for row in matrix["rows"] if row["label"] == "lr_corpus")["means"]["pairs"]
    assert mean["test_speakers"]["as they are"]["uar"] == mean["uar"] != mean["test_speakers"]["skewed 8"]["uar"]
    assert "| skewed 8 |" in page


CLASSES = ("angry", "happy", "neutral", "sad")


def write_table(path: Path, n_speakers: int = 2, per_class: int = 8) -> None:
    """Write short noise and its table."""
    lines = ["path,speaker,emotion"]
    for i in range(n_speakers * len(CLASSES) * per_class):
        wav = path.parent / path.stem / f"{i:03}.wav"
        write_wav(wav, seed=1000 * len(path.stem) + i, n_samples=4000)
        lines.append(f"{path.stem}/{wav.name},s{i % n_speakers},{CLASSES[i // n_speakers % len(CLASSES)]}")
    path.write_text("\n".join(lines) + "\n")


def test_the_five_commands_of_the_readme_lead_from_tables_to_a_matrix(tmp_path, nine):
    """With the interpreter itself, not one that has imported libraries: every step finds its own imports."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
    (block,) = [block for block in blocks if "egs/mymatrix/run.sh" in block]
    commands = block.replace("\\\n", " ").splitlines()
    assert len(commands) == 5
    root = copy_tree(tmp_path / "checkout").root
    for name in ("my", "phone"):
        write_table(root / f"{name}.csv")
    release = next(nine.glob("EMO*"))
    for command in commands:
        command = command.replace("corpora/EMO-DB", str(release))
        command = re.sub(r"^python\b", sys.executable, command)
        done = subprocess.run(command, shell=True, cwd=root, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    (matrix,) = read_record(root / "egs" / "mymatrix" / "RESULTS.json")["matrices"]
    assert matrix["sources"] == ["mylab", "phone", "emodb", "others"]
    n = {target: about["n_utterances"] for target, about in matrix["targets"].items()}
    assert n == {"mylab": 64, "phone": 64}
    assert not matrix["holes"]
    labels = {row["label"] for row in matrix["rows"]}
    assert labels >= {"lr_source", "lr_corpus", "smap", "support_only", "in_domain", "shortcut"}
    assert {(c["source"], c["target"]) for row in matrix["rows"] for c in row["cells"]} == {
        ("phone", "mylab"), ("emodb", "mylab"), ("others", "mylab"),
        ("mylab", "phone"), ("emodb", "phone"), ("others", "phone"),
    }  # fmt: skip
