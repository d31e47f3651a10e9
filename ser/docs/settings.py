"""Every setting of the YAML files, from the pydantic models that read them: key, values, default, meaning."""

from __future__ import annotations

import importlib
import inspect
import re
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ser import methods
from ser.features.config import FeatureConfig
from ser.recipe.settings import Headline
from ser.splits.labels import LabelMap
from ser.splits.protocols import known

BOUNDS = {Ge: ("ge", "≥"), Gt: ("gt", ">"), Le: ("le", "≤"), Lt: ("lt", "<")}


def settings() -> str:
    """Write a section for each kind of file."""
    parts = []
    for name in known():
        parts += [f"### Protocol `{name}`", _table(importlib.import_module(f"ser.splits.protocols.{name}").PROTOCOL)]
    parts += ["### Headline of a matrix", _table(Headline)]
    parts += ["### Features", _table(FeatureConfig), "### Label maps", _table(LabelMap)]
    for name in methods.names():
        parts += [f"### Method `{name}`", _table(methods.load(name).Config)]
    return "\n\n".join(parts)


def _table(model: type[BaseModel]) -> str:
    rows = [f"| `{key}` | {_cell(values)} | {_cell(default)} | {_cell(told)} |"
            for key, values, default, told in _keys(model)]  # fmt: skip
    return "\n".join(["| key | values | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """List the keys of a model, those of models in it with dots."""
    told = described(model)
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _keys(inner, f"{prefix}{name}.")
        else:
            default = "" if field.is_required() else _plain(field.get_default(call_default_factory=True))
            yield prefix + name, values_of(field), default, told.get(name, "")


def _plain(value: Any) -> str:
    return f"`{value}`" if isinstance(value, (str, int, float, bool, type(None))) else f"`{value!r}`"[:60]


def values_of(field: FieldInfo) -> str:
    """Say which values a key takes.

    Example:
        >>> from pydantic import Field
        >>> values_of(FieldInfo.from_annotation(Literal["a", "b"] | None))
        '`a`, `b`, null'
    """
    text = _type(field.annotation)
    bounds = [f"{sign} {getattr(bound, name):g}" for bound in field.metadata
              for kind, (name, sign) in BOUNDS.items() if isinstance(bound, kind)]  # fmt: skip
    return ", ".join(filter(None, (text, *bounds)))


NAMES = {str: "text", int: "whole number", float: "number", bool: "true, false", type(None): "null", Any: "any"}


def _type(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    if annotation in NAMES:
        return NAMES[annotation]
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        return ", ".join(dict.fromkeys(map(_type, typing.get_args(annotation))))
    if origin is typing.Annotated:
        return _type(typing.get_args(annotation)[0])
    if origin in (list, tuple):
        return f"list of {_type(typing.get_args(annotation)[0])}"
    if origin is dict:
        key, value = typing.get_args(annotation)
        return f"{_type(key)}: {_type(value)}"
    return "a mapping" if isinstance(annotation, type) and issubclass(annotation, BaseModel) else "see below"


def described(model: type[BaseModel]) -> dict[str, str]:
    """Read what a model's docstring says of its attributes, its own first.

    Example:
        >>> class M(BaseModel):
        ...     '''A model.
        ...
        ...     Attributes:
        ...         k: shots
        ...             per class.
        ...         a, b: both.
        ...     '''
        >>> described(M)
        {'k': 'shots per class.', 'a': 'both.', 'b': 'both.'}
    """
    found: dict[str, str] = {}
    for parent in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        _, _, text = inspect.cleandoc(parent.__dict__.get("__doc__") or "").partition("Attributes:\n")
        for names, meaning in re.findall(r"^    ([\w, ]+): (.*(?:\n {8}.*)*)", text, re.M):
            for name in names.split(", "):
                found[name] = " ".join(meaning.split())
    return found
