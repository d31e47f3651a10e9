"""What notebooks call: `ser.results` and `ser.prepare`; `ser.load_model` is tested where there is a trained model."""

from __future__ import annotations

import pytest

import ser
from ser.errors import ConfigError, DataError
from ser.results.record import read_record
from tests.fakes.wav import write_wav
from tests.test_house import ROOT


def test_results_are_those_of_the_record():
    numbers = ROOT / "egs" / "ravdess2emodb" / "RESULTS.json"
    table = read_record(numbers)["tables"][1]
    row = next(row for row in table["rows"] if row["label"] == "emofsl")
    found = ser.results("ravdess2emodb")
    [own] = found.query(f"system == 'emofsl' and feature == '{row['feature']}' and shots == 10").to_dict("records")
    assert (own["uar"], own["corpus"], own["sees"]) == (row["uar"], "emodb", "10 labels per class")
    assert len(ser.results(numbers)) == len(ser.results(numbers.parent)) == len(found) > 100
    with pytest.raises(DataError, match="no such results; run the recipe"):
        ser.results("nothing2nothing")


def test_the_package_that_is_called_is_still_one():
    from ser.results import render

    assert ser.results.render is render


def test_prepare_makes_a_data_directory_of_a_table(tmp_path):
    for seed, name in enumerate("ab"):
        write_wav(tmp_path / f"{name}.wav", seed=seed)
    (tmp_path / "my.csv").write_text("path,speaker,emotion\na.wav,s1,happy\nb.wav,s2,sad\n")
    assert ser.prepare("table", tmp_path / "my.csv", tmp_path / "data" / "mylab")
    assert len((tmp_path / "data" / "mylab" / "utt2emo").read_text().splitlines()) == 2
    assert not ser.prepare("table", str(tmp_path / "my.csv"), tmp_path / "data" / "mylab")
    with pytest.raises(ConfigError, match="corpus: unknown 'emodbb'; did you mean 'emodb'"):
        ser.prepare("emodbb", tmp_path, tmp_path / "data" / "x")
