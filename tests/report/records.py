"""A small RESULTS.json, made by hand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from ser.results.record import FORMAT
from ser.results.words import definitions
from ser.types import Condition

CLASSES = ["high", "low"]

CHANCE = {"kind": "reference", "label": "chance", "feature": "-", "any_condition": True, "uar": 0.5,
          "recall": {"high": 0.5, "low": 0.5}}  # fmt: skip


def row(label: str, uar: float | None, kind: str = "paper", **more: Any) -> dict[str, Any]:
    """Make a row; without UAR, a hole."""
    own = {"kind": kind, "label": label, "feature": "byol", "method": "difl", "sources": ["a"], "seeds": 1}
    if uar is None:
        return own | {"hole": "needs IEMOCAP"} | more
    scores = {"uar": uar, "interval": [round(uar - 0.1, 4), round(uar + 0.1, 4)], "wa": uar, "macro_f1": uar,
              "recall": {"high": uar, "low": uar}, "cells": 2}  # fmt: skip
    return own | scores | more


def table(
    corpus: str, rows: list[dict[str, Any]], task: str = "arousal", shots: int | None = None, **more: Any
) -> dict[str, Any]:
    """Make a table of a task, or with `shots` of a number of shots."""
    return {
        "condition": Condition("" if shots is not None else task, corpus, shots).json,
        "split_rule": "tested in full",
        "notes": "",
        "classes": CLASSES,
        "n_utterances": 48,
        "n_speakers": 8,
        "n_true": {"high": 32, "low": 16},
        "rows": [copy.deepcopy(own) for own in rows],
    } | more


def record(name: str, tables: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Make the numbers of a recipe from corpus A to B and C."""
    return {
        "format": FORMAT,
        "made_from": "0" * 32,
        "recipe": name,
        "title": f"Title of {name}",
        "paper": "Gao et al. 2022",
        "kind": "open twin",
        "mini": False,
        "variant": None,
        "needs": None,
        "command": f"cd egs/{name} && ./run.sh --db_root DIR",
        "corpora": {
            letter: {
                "title": letter.upper(),
                "release": "full",
                "n_utterances": 48,
                "n_speakers": 8,
                "formats": ["f"],
            }
            for letter in "abc"
        },
        "protocol": "cross_corpus",
        "source": None,
        "note": None,
        "confusion_source": None,
        "stamps": [],
        "environment": {
            "date": "2026-01-01",
            "python": "3",
            "machine": "m",
            "ser": "0",
            "commit": "c",
            "packages": {},
        },
        "features": {"byol": "feature `byol`: described"},
        "definitions": definitions(),
        "tables": tables,
        "fits": [],
        "probes": [],
        "learning": [],
        "planes": [],
        "latent": [],
        "similarity": [],
    } | more


def write(egs: Path, *records: dict[str, Any], place: str = "") -> Path:
    """Lay recipes out as a checkout has them."""
    for own in records:
        folder = egs / own["recipe"] / place
        folder.mkdir(parents=True, exist_ok=True)
        (egs / own["recipe"] / "run.sh").write_text("#!/usr/bin/env bash\n")
        (folder / "RESULTS.json").write_text(json.dumps(own))
    return egs
