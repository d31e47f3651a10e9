"""Two runs side by side: hand-worked differences, lists that differ, and the utterances that changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ser.bin import compare as command
from ser.errors import DataError
from ser.scoring import compare
from ser.scoring.runs import write_scores
from ser.types import Condition

CLASSES = ("angry", "sad")
TRUE = {"c-1-a": "angry", "c-1-b": "sad", "c-2-a": "angry", "c-2-b": "sad", "c-3-a": "angry", "c-3-b": "sad"}


def table(preds: str, true=TRUE, shots: int = 0, draw: int = 0) -> pd.DataFrame:
    """Make predictions of all utterances from the first letters of the classes."""
    word = {name[0]: name for name in CLASSES}
    rows = zip(true.items(), preds, strict=True)
    return pd.DataFrame(
        [("f1", shots, draw, utt, label, word[letter]) for (utt, label), letter in rows],
        columns=["split", "shots", "draw", "utt_id", "true", "pred"],
    )


def write(folder: Path, table: pd.DataFrame, conditions=None, classes=CLASSES) -> Path:
    folder.mkdir(parents=True)
    table.to_csv(folder / "predictions.tsv", sep="\t", index=False)
    names = conditions or [str(shots) for shots in table["shots"].unique()]
    write_scores(folder, {"classes": list(classes), "conditions": dict.fromkeys(names)})
    return folder


def test_scores_difference_and_p_are_those_worked_out_by_hand():
    a, b = (compare.counts_of(table(preds), CLASSES, is_random=False) for preds in ("aaaaaa", "asasaa"))
    result = compare.paired(a, b)
    assert float(result.a["uar"]) == 0.5  # all angry, no sad
    assert float(result.b["uar"]) == pytest.approx((1 + 2 / 3) / 2)
    assert result.b["recall"].tolist() == pytest.approx([1, 2 / 3])
    assert result.found.value == pytest.approx(1 / 3)
    # Speakers differ by 1/2, 1/2 and 0: mean 1/3, standard error 1/6, so t = 2 with two degrees of freedom.
    assert result.found.p == pytest.approx(0.18350342)
    assert result.found.interval == pytest.approx((1 / 3 - 4.30265273 / 6, 1 / 3 + 4.30265273 / 6))


def test_a_run_against_itself_does_not_differ(tmp_path, capsys):
    for seed, preds in enumerate(("asaasa", "asasas"), start=1):
        write(tmp_path / "row" / f"seed{seed}", table(preds))
    command.main([str(tmp_path / "row"), str(tmp_path / "row")])
    out = capsys.readouterr().out
    assert "B - A  +0.0 [+0.0, +0.0], p 1.000, seeds 1, 2" in out
    assert [out.count(f"{change}: 0") for change in compare.CHANGES] == [1, 1, 1]


def test_one_training_has_no_p_and_says_so(tmp_path, capsys):
    run = write(tmp_path / "seed1", table("asaasa"))
    command.main([str(run), str(run)])
    out = capsys.readouterr().out
    assert "B - A  +0.0 [+0.0, +0.0], seeds 1\none training: nothing is said about others" in out


def test_seeds_that_only_one_has_are_left_out_and_none_in_common_is_an_error():
    seeds = [table(preds).assign(seed=seed) for seed, preds in enumerate(("asasas", "aaaaaa", "aaaasa"), start=1)]
    counted = [compare.counts_of(pd.concat(seeds[start:stop]), CLASSES) for start, stop in ((0, 2), (1, 3), (2, 3))]
    found = compare.paired(counted[0], counted[1]).found
    assert found.seeds == (2,) and found.value == 0 and found.p is None
    with pytest.raises(DataError, match="A has the seeds 1, 2, B has 3: none is in both"):
        compare.paired(counted[0], counted[2])


def test_a_row_folder_stands_for_all_its_seeds(tmp_path):
    for seed, preds in enumerate(("asasas", "aaaaaa"), start=1):
        write(tmp_path / "row" / f"seed{seed}", table(preds))
    run = compare.read_run(tmp_path / "row")
    counted = compare.counts_of(run.tables[Condition(shots=0)], run.classes)
    assert counted.counts.shape == (2, 1, 3, 2, 2) and counted.seeds == (1, 2)
    assert np.trace(counted.counts.sum((1, 2)), axis1=1, axis2=2).tolist() == [6, 3]


def test_every_kind_of_change_is_listed(tmp_path, capsys):
    classes = ("angry", "happy", "sad")
    true = {"c-1-a": "angry", "c-1-b": "angry", "c-2-a": "angry", "c-2-b": "sad"}
    a, b = table("saas", true), table("aaas", true)
    b.loc[1, "pred"], a.loc[2, "pred"], b.loc[2, "pred"] = "sad", "sad", "happy"
    changed = compare.changed(a, b)
    assert changed.to_dict("records") == [
        {"change": kind, "utt_id": utt, "true": "angry", "a": old, "b": new, "a_right": was, "b_right": now}
        for kind, (utt, old, new, was, now) in zip(
            compare.CHANGES,
            [("c-1-a", "sad", "angry", 0, 1), ("c-1-b", "angry", "sad", 1, 0), ("c-2-a", "sad", "happy", 0, 0)],
            strict=True,
        )
    ]
    runs = [write(tmp_path / name, t, classes=classes) for name, t in (("a", a), ("b", b))]
    command.main([*map(str, runs), "--changed", str(tmp_path / "changed.tsv")])
    assert "  c-1-b  angry: angry -> sad" in capsys.readouterr().out
    written = pd.read_csv(tmp_path / "changed.tsv", sep="\t")
    assert written["utt_id"].tolist() == ["c-1-a", "c-1-b", "c-2-a"] and set(written["condition"]) == {"no shots"}


def test_the_most_frequent_prediction_stands_for_an_utterance():
    draws = [table(preds, draw=draw) for draw, preds in enumerate(("asasas", "ssasas", "ssasaa"))]
    changed = compare.changed(pd.concat(draws), table("asasas"))
    assert changed[["utt_id", "a", "b"]].values.tolist() == [["c-1-a", "sad", "angry"]]  # c-3-b: sad in two of three
    assert changed["a_right"].tolist() == pytest.approx([1 / 3])


def runs_of(tmp_path, **tables) -> tuple[compare.Run, compare.Run]:
    a, b = (compare.read_run(write(tmp_path / name, t)) for name, t in tables.items())
    return a, b


def test_numbers_of_shots_meet_their_like_and_rows_without_shots_meet_all(tmp_path):
    few = pd.concat([table("asasas", shots=shots) for shots in (5, 10)])
    more = pd.concat([table("asasas", shots=shots) for shots in (10, 15)])
    assert list(compare.conditions_of(*runs_of(tmp_path / "1", a=few, b=more))) == ["10 shots"]
    without = compare.conditions_of(*runs_of(tmp_path / "2", a=table("aaaaaa"), b=few))
    assert list(without) == ["no shots and 5 shots", "no shots and 10 shots"]
    with pytest.raises(DataError, match="A has 5 shots, B has 10 shots; no utterance is in both"):
        compare.conditions_of(*runs_of(tmp_path / "3", a=table("asasas", shots=5), b=table("asasas", shots=10)))


def test_recipes_with_and_without_shots_meet_on_the_same_utterances(tmp_path):
    a = compare.read_run(write(tmp_path / "a", table("asasas"), conditions=["c"]))
    b = compare.read_run(write(tmp_path / "b", pd.concat([table("aaaaaa", shots=s) for s in (5, 10)])))
    assert list(compare.conditions_of(a, b)) == ["c and 5 shots", "c and 10 shots"]


def test_lists_that_differ_are_refused_unless_the_common_part_is_asked_for(tmp_path):
    fewer = {utt: TRUE[utt] for utt in list(TRUE)[:4]} | {"c-9-z": "sad"}
    runs = runs_of(tmp_path, a=table("asasas"), b=table("aaaas", fewer))
    text = (r"A has 6, B has 5, 2 are only in A \(first: c-3-a, c-3-b\) and 1 are only in B \(first: c-9-z\); "
            "--common true compares the 4 that both have")  # fmt: skip
    with pytest.raises(DataError, match=text):
        compare.conditions_of(*runs)
    ((a, b),) = compare.conditions_of(*runs, common=True).values()
    assert a["utt_id"].tolist() == b["utt_id"].tolist() == list(TRUE)[:4]


def test_other_classes_and_other_labels_are_refused(tmp_path):
    a = compare.read_run(write(tmp_path / "a", table("asasas")))
    b = compare.read_run(write(tmp_path / "b", table("asasas"), classes=("angry", "bored", "sad")))
    with pytest.raises(DataError, match=r"different classes: A has 2, B has 3, 1 are only in B \(first: bored\)"):
        compare.conditions_of(a, b)
    relabelled = compare.read_run(write(tmp_path / "c", table("asasas", {**TRUE, "c-2-a": "sad"})))
    with pytest.raises(DataError, match=r"different labels for 1 utterances \(first: c-2-a, 'angry' and 'sad'\)"):
        compare.conditions_of(a, relabelled)


@pytest.mark.parametrize("name", ["predictions.tsv", "metrics.json"])
def test_an_edited_file_is_refused(tmp_path, name):
    path = write(tmp_path / "seed1", table("asasas")) / name
    compare.read_run(tmp_path)
    path.write_text(path.read_text().replace("sad", "mad", 1))
    with pytest.raises(DataError, match=f"seed1/{name}: was changed after stage 5 wrote it; run stage 5 again"):
        compare.read_run(tmp_path)


def test_a_folder_without_scores_is_refused(tmp_path):
    with pytest.raises(DataError, match="no predictions.tsv and metrics.json, here or in seed1"):
        compare.read_run(tmp_path)
