"""Predictions of other systems: the numbers of our own tables, and every way in which a file can be wrong."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ser.bin import score_predictions as command
from ser.errors import DataError
from ser.scoring.compare import counts_of
from ser.scoring.external import read_predictions
from ser.splits.lists import Split, Splits, write_splits
from ser.types import Condition

CLASSES = ["angry", "sad"]
SPEAKERS = ("c-1", "c-2", "c-3", "c-4")


def splits(folder: Path) -> Splits:
    """Two folds of two speakers with three utterances of each class."""
    tests = [
        {f"{speaker}-{name}{i}": name for speaker in pair for name in CLASSES for i in range(3)}
        for pair in (SPEAKERS[:2], SPEAKERS[2:])
    ]
    parts = [Split(f"fold{i}", dict(tests[1 - i]), {}, [], test) for i, test in enumerate(tests)]
    write_splits(folder / "splits", parts, {"labels": {"classes": CLASSES}, "made_from": "here"})
    return Splits.open(folder / "splits")


def predictions(seed: int = 1, wrong: tuple[str, ...] = (), **columns: object) -> pd.DataFrame:
    """Right everywhere but for some utterances."""
    utts = [f"{speaker}-{name}{i}" for speaker in SPEAKERS for name in CLASSES for i in range(3)]
    is_angry = [("angry" in utt) != (utt in wrong) for utt in utts]
    scores = {"angry": [float(a) for a in is_angry], "sad": [float(not a) for a in is_angry]}
    return pd.DataFrame({"utt_id": utts, **scores, "seed": seed, **columns})


def write(path: Path, table: pd.DataFrame) -> Path:
    table.to_csv(path, sep="\t", index=False)
    return path


def test_counts_are_those_of_the_test_lists(tmp_path):
    wrong = ("c-1-angry0", "c-4-sad1", "c-4-sad2")
    both = pd.concat([predictions(), predictions(2, wrong)])
    path = write(tmp_path / "mine.tsv", both)
    [(condition, table)] = read_predictions(path, splits(tmp_path)).items()
    assert condition == Condition(corpus="c")
    counted = counts_of(table, CLASSES)
    assert counted.seeds == (1, 2) and counted.counts.shape == (2, 1, 4, 2, 2)
    assert counted.counts[1, 0].tolist() == [[[2, 1], [0, 3]], [[3, 0], [0, 3]], [[3, 0], [0, 3]], [[3, 0], [2, 1]]]


def test_support_sets_are_conditions_and_draws(tmp_path):
    parts = [predictions(shots=k, draw=draw) for k in (5, 10) for draw in (0, 1)]
    found = read_predictions(write(tmp_path / "a.tsv", pd.concat(parts)), splits(tmp_path))
    assert list(found) == [Condition(corpus="c", shots=5), Condition(corpus="c", shots=10)]
    assert counts_of(found[Condition(corpus="c", shots=10)], CLASSES).counts.shape == (1, 2, 4, 2, 2)


def test_the_command_prints_a_table_with_a_flag(tmp_path, capsys):
    splits(tmp_path)
    good = pd.concat([predictions(seed, ("c-1-angry0",)) for seed in (1, 2)])
    bad = pd.concat([predictions(seed, tuple(f"{s}-sad{seed % 2}" for s in SPEAKERS)) for seed in (1, 2)])
    files = [write(tmp_path / f"{name}.tsv", table) for name, table in (("good", good), ("bad", bad))]
    command.main(["--split", str(tmp_path / "splits"), *map(str, files)])
    out = capsys.readouterr().out
    assert "## c\n\n24 utterances, 4 speakers" in out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines() if line.startswith("|")]
    cells = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}
    assert cells["good [external]"]["UAR"] == "95.8"  # 11 of 12 angry, all sad
    assert cells["bad [external]"]["UAR"] == "83.3"  # 8 of 12 sad
    assert cells["bad [external]"]["difference"].startswith("-12.5 [") and cells["chance"]["UAR"] == "50.0"
    once = write(tmp_path / "once.tsv", predictions().drop(columns="seed"))
    command.main(["--split", str(tmp_path / "splits"), str(once)])
    assert "one training |" in capsys.readouterr().out
    command.main(["--split", str(tmp_path / "splits"), str(once), "--fixed", "true"])
    assert "one training |" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.rename(columns={"sad": "sadd"}), "column unknown 'sadd'; did you mean 'sad'?"),
        (lambda t: t.drop(columns="sad"), "no column 'sad'; needed are utt_id, angry, sad"),
        (lambda t: t.assign(sad=float("nan")), "utterance c-1-angry0: a score is no finite number"),
        (lambda t: t.assign(seed="x"), "column seed: 'x' is no whole number"),
        (lambda t: t[1:], "split fold0, 0 shots, draw 0, seed 1: 1 of 12 test utterances are missing"),
        (lambda t: pd.concat([t, t[:1]]), "utterance c-1-angry0 stands twice"),
        (lambda t: t.replace("c-1-angry0", "c-9-x"), "utterance c-9-x is in no test list"),
        (lambda t: t[t["utt_id"].str[:3].isin(["c-1", "c-2"])], "no predictions for split fold1"),
        (lambda t: t.assign(split="fold7"), "split unknown 'fold7'"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, change, said):
    path = write(tmp_path / "mine.tsv", change(predictions()))
    with pytest.raises(DataError, match=said.replace("?", r"\?")) as raised:
        read_predictions(path, splits(tmp_path))
    assert str(raised.value).startswith(f"{path}: ")
