"""Every command line, from what its `--help` says."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from ser.recipe.code import ROOT

INTERNAL = ("docs", "recipe_args", "run_recipes", "slurm_array", "take_lock", "data_prep", "features", "train",
            "score", "results", "make_splits", "report", "simulate_mistake")  # fmt: skip
"""Called by scripts, whose options are theirs."""

SCRIPTS = ("run.sh", "utils/download_corpus.sh", "utils/new_recipe.sh", "utils/list_upstreams.sh",
           "utils/validate_data_dir.sh", "utils/fix_data_dir.sh", "utils/subset_data_dir.sh", "utils/combine_data.sh",
           "tests/run.sh")  # fmt: skip


def commands() -> str:
    """Write a section for each script and each Python command line."""
    parts = []
    for script in SCRIPTS:
        parts += [f"### `{script}`", f"```text\n{header(ROOT.parent / script)}\n```"]
    for path in sorted((ROOT / "bin").glob("*.py")):
        if path.stem not in ("__init__", *INTERNAL):
            parts += [f"### `python -m ser.bin.{path.stem}`", f"```text\n{said(path.stem)}\n```"]
    return "\n\n".join(parts)


def header(script: Path) -> str:
    """Read the comment at the head of a script, which its `--help` prints."""
    lines = script.read_text(encoding="utf-8").splitlines()[1:]
    stop = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[:stop]).strip()


class _Parsed(Exception):
    pass


def said(name: str) -> str:
    """Write what a command line says of itself and of its options, alike under every version of Python."""
    module = importlib.import_module(f"ser.bin.{name}")
    parsers: list[argparse.ArgumentParser] = []

    def stop(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        parsers.append(parser)
        raise _Parsed

    stopping = mock.patch.multiple(argparse.ArgumentParser, parse_args=stop, parse_intermixed_args=stop)
    with stopping, contextlib.suppress(_Parsed):
        module.main([])
    text = (module.__doc__ or "").strip()
    options = [_option(action) for parser in parsers for action in parser._actions if action.dest != "help"]
    told = [line for line in options if not re.search(rf"^\s*{re.escape(line.split()[0])}\b", text, re.M)]
    return "\n".join([text, *(["", "arguments:", *told] if told else [])])


def _option(action: argparse.Action) -> str:
    names: Sequence[str] = action.option_strings or [action.metavar or action.dest]
    values = ""
    if action.option_strings and action.nargs != 0:
        choices = "|".join(map(str, action.choices or ()))
        values = f" {choices or action.metavar or action.dest.upper()}"
    return (f"  {', '.join(map(str, names))}{values}".ljust(30) + f"  {action.help or ''}").rstrip()
