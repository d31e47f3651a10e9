"""Code that decides results: what a module is made of, followed through its imports of `ser`, and hashes of it.

A package's face (`from ser.losses import CenterLoss`) leads to the file that defines the name, so that another file
behind the same face changes nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import ser
from ser.errors import ConfigError
from ser.system.files import fingerprint

ROOT = Path(ser.__file__).parent

ELSEWHERE = ("__init__.py", "errors.py", "types.py", "config.py", "system", "corpora", "data", "features", "splits")
"""Files and rooms that are not followed: their results have fingerprints of their own (features, splits), or they
decide none."""

FOLLOWED = ("data/audio.py", "features/encoders")
"""What is followed below `ELSEWHERE`: methods that train an encoder read audio themselves."""


@cache
def imported_code(module: str) -> tuple[str, ...]:
    """List the files that a module is made of: itself and what it imports of `ser`, directly or not.

    Args:
        module: as in `ser.methods.difl`.

    Returns:
        Paths below `ser/`, sorted.

    Raises:
        ConfigError: naming file and line of an import of `ser` that leads nowhere.
    """
    found: set[str] = set()
    todo = [_file_of(module)]
    while todo:
        path = todo.pop()
        name = path.relative_to(ROOT).as_posix()
        is_followed = not _is_below(name, ELSEWHERE) or _is_below(name, FOLLOWED)
        if is_followed and name not in found:
            found.add(name)
            todo += (file for _, file in _imports(path))
    return tuple(sorted(found))


def _is_below(name: str, places: Sequence[str]) -> bool:
    return any(name == place or name.startswith(f"{place}/") for place in places)


def _file_of(module: str) -> Path | None:
    """Find the file of a module of `ser`: of a package its face."""
    path = ROOT.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path if path.is_file() else None


@cache
def _imports(path: Path) -> tuple[tuple[str, Path], ...]:
    """List what a file imports of `ser`: the name that it gets there, and the file that defines it."""
    found = []
    for node in _statements(_parsed(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "ser":
                    file = _file_of(alias.name) or _lost(path, node, alias.name)
                    found.append((alias.asname or "ser", file))
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, path)
            if module.split(".")[0] == "ser":
                for alias in node.names:
                    file = _defining(module, alias.name) or _lost(path, node, f"{module}.{alias.name}")
                    found.append((alias.asname or alias.name, file))
    return tuple(found)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    """Name the module of `from MODULE import`, which may be relative to the file's package."""
    if not node.level:
        return node.module or ""
    package = ["ser", *path.parent.relative_to(ROOT).parts]
    return ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])


def _defining(module: str, name: str) -> Path | None:
    """Find the file that defines a name of a module; through a package's face, the file behind it."""
    if own := _file_of(f"{module}.{name}"):
        return own
    path = _file_of(module)
    if path is None or path.name != "__init__.py" or name == "*":
        return path
    behind = [file for bound, file in _imports(path) if bound == name]
    if behind:
        return behind[-1]
    return path if name in _bound(path) else None


@cache
def _bound(path: Path) -> frozenset[str]:
    """List the names that a face binds itself, by whatever else than imports of `ser`."""
    found: set[str] = set()
    for node in _statements(_parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return frozenset(found)


def _lost(path: Path, node: ast.stmt, name: str) -> Path:
    where = path.relative_to(ROOT.parent).as_posix()
    raise ConfigError(f"{where} line {node.lineno}: imports {name}, which does not exist; correct or remove it")


@cache
def code_hash(names: Sequence[str]) -> str:
    """Hash code, without comments, docstrings and layout.

    Args:
        names: files and folders below `ser/`.
    """
    paths = [p for name in names for p in (sorted((ROOT / name).glob("*.py")) or [ROOT / name])]
    return fingerprint([_bare(path) for path in paths])


@cache
def _bare(path: Path) -> str:
    tree = _parsed(path)
    for node in _statements(tree):
        if hasattr(node, "body"):
            node.body = [b for b in node.body if not (isinstance(b, ast.Expr) and isinstance(b.value, ast.Constant))]
    return ast.dump(tree)


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        where = path.relative_to(ROOT.parent).as_posix()
        raise ConfigError(f"{where} line {error.lineno}: not valid Python: {error.msg}") from None


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Go through a module and all its statements, as `ast.walk` does, without what they are made of."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            todo += getattr(node, field, [])
