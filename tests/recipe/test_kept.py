"""Files of a run's folder: what is lost, and what was dropped on purpose."""

from __future__ import annotations

import pytest

from ser.recipe import kept


@pytest.fixture
def folder(tmp_path):
    for name, text in (("model.safetensors", "weights"), ("history.tsv", "h"), ("env.json", "{}")):
        (tmp_path / name).write_text(text)
    kept.record(tmp_path, kept.TRAINED)
    for name, text in (("predictions.tsv", "p"), ("predict.safetensors", "tensors")):
        (tmp_path / name).write_text(text)
    kept.record(tmp_path, ["predictions.tsv", "predict.safetensors", "never_written.npz"])
    return tmp_path


def lost(folder) -> list[list[str]]:
    return [kept.lost(folder, of_training) for of_training in (True, False)]


def test_nothing_is_lost_and_a_folder_without_a_record_has_nothing_to_lose(folder, tmp_path_factory):
    assert lost(folder) == lost(tmp_path_factory.mktemp("empty")) == [[], []]


def test_missing_and_cut_files_are_named_by_their_stage(folder):
    (folder / "model.safetensors").write_text("wei")
    (folder / "predictions.tsv").unlink()
    assert lost(folder) == [["model.safetensors"], ["predictions.tsv"]]
    (folder / "model.safetensors").write_text("weights again")
    kept.record(folder, kept.TRAINED)
    assert lost(folder) == [[], ["predictions.tsv"]]


def test_weights_that_were_dropped_are_not_lost_until_they_are_written_again(folder):
    assert not kept.was_dropped(folder)
    assert kept.drop_weights(folder) == len("weights" + "tensors")
    assert kept.drop_weights(folder) == 0
    assert kept.was_dropped(folder) and lost(folder) == [[], []]
    assert not list(folder.glob("*.safetensors"))
    (folder / "model.safetensors").write_text("weights")
    kept.record(folder, kept.TRAINED)
    assert not kept.was_dropped(folder)
    (folder / "model.safetensors").unlink()
    assert lost(folder) == [["model.safetensors"], []]
