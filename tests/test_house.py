"""The rules of the house: imports point down, light things stay light, s3prl has one door, scripts are clean."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ser import methods

ROOT = Path(__file__).parents[1]

FLOORS = (
    "errors", "types", "randomness", "config", "losses", "metrics", "system", "nn", "data", "corpora", "features",
    "splits", "adaptation", "training", "methods", "cost", "recipe", "scoring", "results", "inference", "mistakes",
    "report", "docs", "bin",
)  # fmt: skip
FLOOR_OF = {name: floor for floor, name in enumerate(FLOORS)}


def modules() -> list[Path]:
    return sorted((ROOT / "ser").rglob("*.py"))


def room(path: Path) -> str:
    """First part below ser/ of a file's path."""
    return path.relative_to(ROOT / "ser").with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """Rooms of ser/ that a file imports, wherever the import stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {parts[1] for name in names if (parts := name.split("."))[0] == "ser" and len(parts) > 1} - {"__version__"}


def test_every_module_stands_on_a_floor():
    rooms = {room(path) for path in modules()} - {"__init__"}
    assert rooms == set(FLOOR_OF)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    if room(path) == "__init__":
        return
    above = {name for name in imported(path) if FLOOR_OF[name] > FLOOR_OF[room(path)]}
    assert not above, f"{path.relative_to(ROOT)} imports {above} from above"


def test_import_ser_is_light():
    code = "import sys, ser; print(any(m in sys.modules for m in ('torch', 'numpy', 'pandas', 'pydantic')))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


@pytest.mark.parametrize(
    "name", ["prepare_corpus", "make_mini_corpora", "make_splits", "features", "train", "score", "results"]
)
def test_command_lines_that_find_nothing_to_do_do_not_import_torch(name):
    code = f"import sys, ser.bin.{name}; print([m for m in ('torch', 'numpy', 'sklearn') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name",
    [
        "methods.linear_svc",
        "methods.logistic_regression",
        "features.extract",
        "scoring.score",
        "inference.model",
        "inference.write",
    ],
)
def test_what_a_row_without_a_network_needs_does_not_import_torch(name):
    code = f"import sys, ser.{name}; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_every_dependency_is_imported_somewhere():
    """Nothing is asked for that no code uses."""
    names = {
        "PyYAML": "yaml",
        "scikit-learn": "sklearn",
        "lightning-fabric": "lightning_fabric",
        "Jinja2": "jinja2",
        "MarkupSafe": "markupsafe",
    }
    required = re.search(r"install_requires=\[(.*?)\]", (ROOT / "setup.py").read_text(), re.S).group(1)
    code = "\n".join(path.read_text() for path in modules())
    for requirement in re.findall(r'^\s*"([A-Za-z0-9_-]+)', required, re.M):
        module = names.get(requirement, requirement)
        assert re.search(rf"^\s*(import|from) {module}\b", code, re.M), requirement


@pytest.mark.parametrize(
    ("code", "only"),
    [(r"import kaldiio", "data/archives.py"), (r"save_file\(", "training/checkpoint.py")],
)
def test_a_library_stands_behind_one_file(code, only):
    """Another can take its place there, and what it gets wrong is put right there."""
    found = {str(path.relative_to(ROOT / "ser")) for path in modules() if re.search(code, path.read_text())}
    assert found == {only}


def test_nothing_needs_a_newer_python_than_setup_asks_for():
    """`typing.Self`, say, came with 3.11: a test run on 3.11 does not see it."""
    oldest = re.search(r'python_requires=">=([0-9.]+)"', (ROOT / "setup.py").read_text()).group(1)
    options = ["--no-tips", f"-t={oldest}-", "--violations", "ser", "tests", "benchmarks"]
    command = [sys.executable, "-c", "from vermin import main; main()", *options]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_version_is_the_same_everywhere():
    import ser

    assert f'version="{ser.__version__}"' in (ROOT / "setup.py").read_text()


def scripts() -> list[str]:
    found = [ROOT / "run.sh", ROOT / "tests" / "run.sh", *(ROOT / ".ci").iterdir(), ROOT / "conf" / "db.sh"]
    return [
        str(p.relative_to(ROOT)) for p in (*found, *(ROOT / "utils").glob("*.sh"), *(ROOT / "egs").glob("*/run.sh"))
    ]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_scripts_pass_shellcheck():
    result = subprocess.run(["shellcheck", "-x", *scripts()], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_scripts_stop_at_the_first_error():
    for name in scripts():
        text = (ROOT / name).read_text()
        if text.startswith("#!"):
            assert "set -euo pipefail" in text, name


def test_driver_stays_small():
    """Decisions about data and models belong into YAML or Python; bash knows stages, paths, logs and jobs."""
    assert len((ROOT / "run.sh").read_text().splitlines()) <= 150
    for recipe in (ROOT / "egs").glob("*/run.sh"):
        assert len(recipe.read_text().splitlines()) <= 25, recipe


def named_methods(text: str) -> set[str]:
    """Methods that code names: in strings other than docstrings, and in imports of their files."""
    tree, found = ast.parse(text), set()
    documents = {
        id(part.value)
        for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        for part in node.body if isinstance(part, ast.Expr)
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            found |= set(re.findall(r"\w+", node.value))
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {name.name for name in node.names} if node.module == "ser.methods" else set()
            found |= {node.module.removeprefix("ser.methods.")} if node.module.startswith("ser.methods.") else set()
        elif isinstance(node, ast.Import):
            found |= {name.name.removeprefix("ser.methods.") for name in node.names}
    return found & set(methods.names())


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_only_a_method_s_own_file_names_it(path):
    if room(path) not in ("methods", "cost") or path.stem in ("__init__", "base", "trainers"):  # a cost is its own
        assert named_methods(path.read_text()) == set()


def test_what_names_a_method():
    assert named_methods('x = {"difl": 1}') == {"difl"}
    assert named_methods("def f():\n    from ser.methods import names, difl\n") == {"difl"}
    assert named_methods("from ser.methods.supcon import Config\nimport ser.methods.difl as d") == {"difl", "supcon"}
    assert named_methods('"""difl"""\nX = 1\n"""As difl does."""\nfrom ser.training.linear_svc import votes') == set()


def test_another_method_s_loss_does_not_retrain_a_method():
    """A row's fingerprint holds the code that its method imports, and no other."""
    from ser.recipe.code import imported_code

    assert "losses/emotion_distance.py" in imported_code("ser.methods.emofsl")
    assert "training/stacked.py" in imported_code("ser.methods.emofsl")
    through_a_face = {
        "features/encoders/__init__.py",
        "features/encoders/s3prl.py",
        "features/encoders/transformer.py",
    }
    assert through_a_face <= set(imported_code("ser.methods.supcon_finetune"))
    assert imported_code("ser.methods.logistic_regression") == (
        "adaptation/__init__.py", "adaptation/base.py", "methods/base.py", "methods/logistic_regression.py",
        "metrics/calibration.py", "metrics/classification.py", "training/nested.py", "training/run_data.py",
    )  # fmt: skip
