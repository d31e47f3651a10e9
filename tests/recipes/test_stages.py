"""The stages that tests run in their own process are those of run.sh, and all recipes have the same run.sh."""

from __future__ import annotations

import re
import shlex

from tests.recipes.conftest import ROOT
from tests.recipes.stages import commands

PARTS = r"(--nj|--part) \S+"
"""What depends on the machine's cores."""


def test_command_lines_are_those_of_run_sh(finished, own):
    assert own.run().returncode == 0  # other tests may have left logs of refused options
    logged = set()
    for log in (own.exp / "log").glob("*.log"):
        words = shlex.split(log.read_text().splitlines()[0].removeprefix("# "))
        words = [word.replace(str(finished.root), str(own.root)) for word in words]
        assert words[:2] == ["python3", "-m"]
        logged.add(re.sub(PARTS, r"\1", "\n".join(words[2:]).replace("\n", " ")))
    called = set()
    for module, arguments, jobs in commands(own.recipe):
        if jobs is None or jobs.name in ("jobs_features.tsv", "jobs_train.tsv"):  # it has no other lists
            called.add(re.sub(PARTS, r"\1", " ".join([f"ser.bin.{module}", *arguments])))
    assert called == logged and len(called) == 8


def test_all_recipes_have_the_same_run_sh():
    scripts = {path.parent.name: path.read_text() for path in (ROOT / "egs").glob("*/run.sh")}
    assert len(scripts) > 10 and len(set(scripts.values())) == 1


def test_a_dry_run_says_the_cost_and_trains_nothing(own):
    before = own.files(own.exp)
    result = own.run("--dry_run", "true", "--rows", "emofsl", "--set", "adapt.epochs=7", "--stage", "train")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(
        r"emofsl on fbank_no_cmvn, adaptation, 5 shots: 1 run, [\d,]+ steps, .* h of audio, ", result.stdout
    )
    assert "from one timed step each" in result.stdout
    assert result.stdout.rstrip().endswith("stopped before training, as --dry_run asks")
    assert {path: state for path, state in own.files(own.exp).items() if "jobs_" not in path} == before
    refused = own.run("--dry_run", "true", "--stage", "score")
    assert refused.returncode == 2 and "'--dry_run': stops before stage 4, found --stage '5'" in refused.stderr
