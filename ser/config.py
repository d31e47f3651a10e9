"""Reading YAML into strict models: one value in one place; every error names its file and key.

A file may name another as `base:` and hold only what differs; `key: null` takes a key of the base away. A `mini:`
section holds what differs on the miniature corpora. Not here: what the keys mean; each model lives beside the code
that it configures.
"""

from __future__ import annotations

import contextlib
import copy
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ser.errors import ConfigError, unknown


class ConfigModel(BaseModel):
    """Base of every configuration: unknown keys and wrong types are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=ConfigModel)


class _AsMeant:
    """YAML as users mean it: `1e-3` is a number, and a repeated key is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        if twice := {str(key) for key in keys if keys.count(key) > 1}:
            raise yaml.MarkedYAMLError(problem=f"key '{min(twice)}' stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


class _Loader(_AsMeant, yaml.SafeLoader):
    """PyYAML's own parser, which has clearer errors."""


class _FastLoader(_AsMeant, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """libyaml, where PyYAML has it: seven times as fast."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regex) for tag, regex in resolvers if tag != "tag:yaml.org,2002:float"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?$|[-+]?\.(inf|Inf)$|\.(nan|NaN)$"),
    list("-+.0123456789"),
)
# PyYAML tries resolvers in order: whole numbers have to come before the float pattern, which takes them too.
for _resolvers in _Loader.yaml_implicit_resolvers.values():
    _resolvers.sort(key=lambda r: r[0] == "tag:yaml.org,2002:float")
_FastLoader.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def load(path: Path, model: type[Model], overrides: Sequence[str] = (), mini: bool = False) -> Model:
    """Read a configuration file with its bases, its `mini:` section if asked for, and overrides.

    Args:
        path: a YAML file.
        model: what it has to hold.
        overrides: `loss.alpha=0.8`, applied last, values read as YAML.
        mini: whether `mini:` sections apply.

    Raises:
        ConfigError: naming file and key, what was found, what is allowed and the nearest match.
    """
    values, origin = read(path, overrides, mini)
    return build(model, values, str(path), origin)


Origin = dict[tuple[str, ...], str]
"""Key path -> the last file that wrote there."""


def read(path: Path, overrides: Sequence[str] = (), mini: bool = False) -> tuple[dict[str, Any], Origin]:
    """Read plain values as `load` does, without holding them against a model."""
    values, origin = _read_chain(Path(path), mini, seen=())
    for override in overrides:
        _override(values, origin, override, str(path))
    return values, origin


def overridden(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Lay overrides such as `loss.alpha=0.8` over a copy of plain values, read as YAML."""
    found = copy.deepcopy(dict(values))
    for override in overrides:
        _override(found, {}, override, "")
    return found


def _override(values: dict[str, Any], origin: Origin, override: str, path: str) -> None:
    keys, text = split_override(override)
    new = _nested(keys, _parse(text, f"--set {override}"))
    _merge(values, origin, new, f"{path} with --set {override}", is_override=True)


def split_override(override: str) -> tuple[list[str], str]:
    """Part `loss.alpha=0.8` into its keys and its value.

    Raises:
        ConfigError: if it is not of that form.
    """
    key, equals, text = override.partition("=")
    if not equals or "" in key.split("."):
        raise ConfigError(f"--set '{override}': expected key=value, as in loss.alpha=0.8")
    return key.split("."), text


def build(model: type[Model], values: Any, where: str, origin: Mapping[tuple[str, ...], str] | None = None) -> Model:
    """Validate plain values, turning pydantic's report into one sentence.

    Raises:
        ConfigError: for the first problem.
    """
    try:
        return model.model_validate(values)
    except ValidationError as report:
        problems = report.errors(include_url=False)
        # a misspelt key is first: what is missing may be what it means
        problem = min(problems, key=lambda found: found["type"] != "extra_forbidden")
        key = _key(problem["loc"], values, missing=problem["type"] == "missing")
        if problem["type"] == "extra_forbidden":
            text = unknown(key[-1], _known_keys(model, key[:-1])).replace("unknown", "unknown key", 1)
        elif problem["type"] == "missing":
            text = "is required and missing"
        elif problem["type"] == "value_error":  # from a validator of ours, which says what was found
            text = problem["msg"].removeprefix("Value error, ")
        else:  # one problem for each type that is allowed
            allowed = [p["msg"] for p in problems if _key(p["loc"], values) == key]
            text = f"{' or '.join(allowed).replace(' or Input should be', ' or')}, found {problem['input']!r}"
        prefixes = (key[:n] for n in range(len(key), 0, -1))
        file = next((origin[prefix] for prefix in prefixes if prefix in origin), where) if origin else where
        raise ConfigError(": ".join(part for part in (file, ".".join(key), text) if part)) from None


def _key(loc: tuple[str | int, ...], values: Any, missing: bool = False) -> tuple[str, ...]:
    """Turn pydantic's location into a key path of the file: without the names of types, which pydantic adds."""
    for n, part in enumerate(loc):
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return tuple(map(str, loc if missing else loc[:n]))
    return tuple(map(str, loc))


def _known_keys(kind: Any, path: tuple[str, ...]) -> list[str]:
    """List the keys of the model at a path, which may lead through lists, plain mappings and optional models."""
    for part in path:
        field = getattr(_some(kind), "model_fields", {}).get(part)
        kind = field.annotation if field else next(reversed(get_args(_some(kind))), None)
    return list(getattr(_some(kind), "model_fields", {}))


def _some(kind: Any) -> Any:
    """Give the type of an optional value."""
    return get_args(kind)[0] if get_origin(kind) in (Union, UnionType) else kind


def _read_chain(path: Path, mini: bool, seen: tuple[Path, ...]) -> tuple[dict[str, Any], Origin]:
    """Read a file over its bases: merged values, and which file each value came from."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise ConfigError(f"{path}: no such configuration file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from None
    own = _mapping(_parse(text, str(path)), str(path))
    base, small = own.pop("base", None), _mapping(own.pop("mini", None), f"{path}: mini")
    if not isinstance(base, str | None):
        raise ConfigError(f"{path}: base: expected the name of a file, found {base!r}")
    values: dict[str, Any] = {}
    origin: Origin = {}
    if base is not None:
        base_path = beside(path, base)
        if base_path.resolve() in seen:
            raise ConfigError(f"{path}: base: '{base}' leads back to itself")
        values, origin = _read_chain(base_path, mini, (*seen, path.resolve()))
    _merge(values, origin, own, str(path))
    if mini:
        _merge(values, origin, small, str(path))
    return values, origin


def beside(path: Path, name: str) -> Path:
    """Find a file that another one names, relative to its folder.

    A folder that is a symbolic link stands where the link is or, if there is no such file, where it leads.
    """
    here = Path(os.path.abspath(path.parent / name))
    return here if here.exists() else (path.parent / name).resolve()


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict | None):
        raise ConfigError(f"{where}: expected 'key: value' lines, found {type(value).__name__}")
    return value or {}


def _parse(text: str, where: str) -> Any:
    with contextlib.suppress(yaml.YAMLError, UnicodeEncodeError):
        return yaml.load(text, Loader=_FastLoader)  # noqa: S506, a SafeLoader
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506, a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{where}{line}: not valid YAML: {getattr(error, 'problem', error)}") from None


def _nested(keys: Sequence[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _merge(
    values: dict[str, Any],
    origin: Origin,
    new: Mapping[str, Any],
    file: str,
    path: tuple[str, ...] = (),
    is_override: bool = False,
) -> None:
    """Lay new values over old ones, mapping by mapping, in place; null takes a key of the old ones away."""
    for key, value in new.items():
        here = (*path, str(key))
        if value is None and key in values and not is_override:
            del values[key]
            continue
        origin[here] = file
        if isinstance(value, dict):
            if not isinstance(values.get(key), dict):
                values[key] = {}
            _merge(values[key], origin, value, file, here, is_override)
        else:
            values[key] = value


def find(kind: str, name: str, near: Path) -> Path:
    """Find `<kind>/<name>.yaml` in the recipe's `conf/` or, failing that, in the shared one.

    Args:
        kind: `labels`, `features` or `methods`.
        name: file name without its ending.
        near: any folder inside the recipe; its parents are searched upwards.

    Raises:
        ConfigError: naming what there is.
    """
    places = [Path(os.path.abspath(near)), near.resolve()]  # which differ in a folder that is a symbolic link
    parents = dict.fromkeys(parent for place in places for parent in (place, *place.parents))
    folders = [parent / "conf" / kind for parent in parents]
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = {path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.yaml")}
    raise ConfigError(f"conf/{kind}: {unknown(name, known)}")
