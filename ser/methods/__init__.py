"""One published method per file, in the paper's order and symbols; `base` holds the contract of a method.

Methods are found by the names of their files. What `ABOUT` declares is read without importing a method, so that
command lines with nothing to do stay light.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

from ser.errors import ConfigError, unknown
from ser.methods.base import About

REQUIRED = {
    "Config": "Config(ConfigModel), its settings",
    "trained_on": "trained_on(config, split), whose labels it learns from",
    "target_data": "target_data(config, is_source), what it sees of a tested corpus",
    "train": "train(config, data, seed, init, job)",
    "predict": "predict(config, data, state, device)",
}
"""Members that every method has -> how an error names them."""

ROOM = Path(__file__).parent


def names() -> list[str]:
    """List the methods: files and folders of this room, apart from `base` and names that begin with `_`."""
    files = [path.stem for path in ROOM.glob("*.py")] + [path.parent.name for path in ROOM.glob("*/__init__.py")]
    return sorted(name for name in files if name != "base" and not name.startswith("_"))


def module_of(name: str) -> str:
    """Give the import path of a method."""
    return f"ser.methods.{name}"


def _file_of(name: str) -> Path:
    folder = ROOM / name / "__init__.py"
    return folder if folder.exists() else ROOM / f"{name}.py"


def said(name: str) -> str:
    """Name a method's file as errors do."""
    return _file_of(name).relative_to(ROOM.parents[1]).as_posix()


@cache
def about(name: str) -> About:
    """Read what a method declares, without importing it.

    Raises:
        ConfigError: for an unknown method, or a declaration that is missing or wrong.
    """
    if name not in names():
        raise ConfigError(f"method: {unknown(name, names())}")
    where = said(name)
    try:
        tree = ast.parse(_file_of(name).read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise ConfigError(f"{where} line {error.lineno}: not valid Python: {error.msg}") from None
    calls = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and [getattr(target, "id", None) for target in node.targets] == ["ABOUT"]
    ]
    if len(calls) != 1 or not isinstance(calls[0], ast.Call) or calls[0].args:
        raise ConfigError(
            f"{where}: does not declare what the method is; write 'ABOUT = About(paper=..., needs_torch=...)', see "
            "ser/methods/base.py"
        )
    declared = About(**_values(calls[0], where))
    for other in declared.starts_from:
        if other not in names():
            raise ConfigError(f"{where}: ABOUT: starts_from: {unknown(other, names())}")
    if (other := declared.unused_as) is None:
        return declared
    if other not in names():
        raise ConfigError(f"{where}: ABOUT: unused_as: {unknown(other, names())}")
    return declared._replace(unused={**about(other).unused, **declared.unused})


def _values(call: ast.Call, where: str) -> dict[str, Any]:
    """Read the plain values of a declaration."""
    values: dict[str, Any] = {}
    kinds = get_type_hints(About)
    for keyword in call.keywords:
        key, place = str(keyword.arg), f"{where} line {keyword.value.lineno}: ABOUT"
        if key not in kinds:
            raise ConfigError(f"{place}: {unknown(key, kinds)}")
        try:
            values[key] = ast.literal_eval(keyword.value)
        except ValueError:
            raise ConfigError(f"{place}: {key}: expected a plain value, as it is read without running the file, "
                              f"found {ast.unparse(keyword.value)}") from None  # fmt: skip
        if not _fits(values[key], kinds[key]):
            raise ConfigError(f"{place}: {key}: expected {_kind(kinds[key])}, found {values[key]!r}")
    for key in About._fields:
        if key not in values and key not in About._field_defaults:
            raise ConfigError(f"{where}: ABOUT: {key}: is required and missing")
    return values


def _fits(value: Any, kind: Any) -> bool:
    if kind is bool:
        return isinstance(value, bool)
    if kind == str | None:
        return isinstance(value, str | None)
    if kind == Sequence[str]:
        return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    return isinstance(value, dict) and all(
        isinstance(cases, list) and all(isinstance(case, dict) for case in cases)
        and all(isinstance(allowed, list) for case in cases for allowed in case.values())
        for cases in value.values()
    )  # fmt: skip


def _kind(kind: Any) -> str:
    return {
        bool: "True or False",
        str | None: "a string or None",
        Sequence[str]: "a list of names",
    }.get(kind, "settings and their cases, as in {'adapt': [{'objective': ['source_only']}]}")


@cache
def load(name: str) -> ModuleType:
    """Import a method.

    Raises:
        ConfigError: for an unknown method, a wrong declaration, or a member that is missing.
    """
    declared_about = about(name)
    module = importlib.import_module(module_of(name))
    if missing := [text for member, text in REQUIRED.items() if not hasattr(module, member)]:
        raise ConfigError(f"{said(name)}: a method has to define {missing[0]}; see ser/methods/base.py")
    for key in ("memory", "cost", "adaptation"):
        if (setting := getattr(module.ABOUT, key)) not in (None, *module.Config.model_fields):
            raise ConfigError(f"{said(name)}: ABOUT: {key}: Config has no setting '{setting}'")
    known = set(_settings(module.Config))
    for key in ("unused", "untrained"):
        declared = getattr(declared_about, key)
        for setting in (*declared, *(one for cases in declared.values() for case in cases for one in case)):
            if setting not in known:
                raise ConfigError(f"{said(name)}: ABOUT: {key}: {unknown(setting, known)}")
    return module


def _settings(model: Any, path: str = "") -> Iterator[str]:
    """List the settings of a configuration by their paths."""
    for name, field in model.model_fields.items():
        yield f"{path}{name}"
        for kind in (field.annotation, *get_args(field.annotation)):
            if hasattr(kind, "model_fields"):
                yield from _settings(kind, f"{path}{name}.")
