"""Reading YAML into strict models: one value in one place, and every mistake told with its file and key.

A file may name another as `base:` and hold only what differs. A `mini:` section holds what differs on the
miniature corpora. Not here: what the keys mean; each model lives beside the code that it configures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ser.errors import ConfigError, unknown


class ConfigModel(BaseModel):
    """Base of every configuration: unknown keys and wrong types are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=ConfigModel)


class _Loader(yaml.SafeLoader):
    """YAML as people mean it: `1e-3` is a number, and a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        if twice := {str(key) for key in keys if keys.count(key) > 1}:
            raise yaml.MarkedYAMLError(problem=f"key '{min(twice)}' stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


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
"""Key path -> the file that its value came from."""


def read(path: Path, overrides: Sequence[str] = (), mini: bool = False) -> tuple[dict[str, Any], Origin]:
    """Read plain values as `load` does, without holding them against a model."""
    values, origin = _read_chain(Path(path), mini, seen=())
    for override in overrides:
        keys, text = split_override(override)
        _merge(values, origin, _nested(keys, _parse(text, f"--set {override}")), f"{path} with --set {override}")
    return values, origin


def split_override(override: str) -> tuple[list[str], str]:
    """Part `loss.alpha=0.8` into its keys and its value.

    Raises:
        ConfigError: if it is not of that form.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
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
        problem = report.errors(include_url=False)[0]
        key = tuple(str(part) for part in problem["loc"])
        file = next((o for k, o in (origin or {}).items() if key[: len(k)] == k), where)
        text = f"{problem['msg']}, found {problem['input']!r}"
        if problem["type"] == "extra_forbidden":
            text = unknown(key[-1], _known_keys(model, key[:-1])).replace("unknown", "unknown key", 1)
        elif problem["type"] == "missing":
            text = "is required and missing"
        raise ConfigError(f"{file}: {'.'.join(key)}: {text}") from None


def _known_keys(model: Any, path: tuple[str, ...]) -> list[str]:
    for part in path:
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        model = field.annotation if field else model
    return list(getattr(model, "model_fields", {}))


def _read_chain(path: Path, mini: bool, seen: tuple[Path, ...]) -> tuple[dict[str, Any], Origin]:
    """Read a file over its bases: merged values, and which file each value came from."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise ConfigError(f"{path}: no such configuration file") from None
    own = _parse(text, str(path)) or {}
    if not isinstance(own, dict):
        raise ConfigError(f"{path}: expected 'key: value' lines, found {type(own).__name__}")
    base, small = own.pop("base", None), own.pop("mini", None) or {}
    values: dict[str, Any] = {}
    origin: Origin = {}
    if base is not None:
        base_path = (path.parent / str(base)).resolve()
        if base_path in seen:
            raise ConfigError(f"{path}: base: '{base}' leads back to itself")
        values, origin = _read_chain(base_path, mini, (*seen, path.resolve()))
    _merge(values, origin, own, str(path))
    if mini:
        _merge(values, origin, small, str(path))
    return values, origin


def _parse(text: str, where: str) -> Any:
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
) -> None:
    """Lay new values over old ones, mapping by mapping, in place."""
    for key, value in new.items():
        here = (*path, str(key))
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _merge(values[key], origin, value, file, here)
        elif isinstance(value, dict):
            values[key] = {}
            _merge(values[key], origin, value, file, here)
        else:
            values[key] = value
            origin[here] = file


def find(kind: str, name: str, near: Path) -> Path:
    """Find `<kind>/<name>.yaml` in the recipe's `conf/` or, failing that, in the shared one.

    Args:
        kind: `labels`, `features` or `methods`.
        name: file name without its ending.
        near: any folder inside the recipe; its parents are searched upwards.

    Raises:
        ConfigError: naming what there is.
    """
    folders = [parent / "conf" / kind for parent in (near.resolve(), *near.resolve().parents)]
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = {path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.yaml")}
    raise ConfigError(f"conf/{kind}: {unknown(name, known)}")
