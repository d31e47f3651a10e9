"""What people read: diffs apply and run, links lead somewhere, and commands name scripts and options that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from ser.docs.commands import header, said
from tests.test_house import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
IDS = [path.name for path in PAGES]

ADDED = """
import sys, numpy as np
from pathlib import Path
from ser import methods
from ser.adaptation.base import Seen, find, sees
from ser.config import load
from ser.corpora import CORPORA
from ser.recipe.recipe import Recipe
from ser.results.measures import DETAIL, MEASURES, columns_of

x = {"a": [0.0], "b": [1.0], "c": [8.0], "d": [4.0]}
blocks = lambda utts: [np.array([x[utt] for utt in utts])]
median = find("median")
state = median.fit(Seen(["a", "b", "c"], {}, {"t": ["d"]}, {}, blocks))
assert (state[""], state["t"]) == ([1.0], [4.0]), state
assert median.apply(state, np.array([6.0]), "t") == [2.0] and median.apply(state, np.array([6.0]), "u") == [5.0]
assert sees("median") == {"unlabelled-train"}

root = Path(sys.argv[1])
config = load(root / "conf/methods/class_means.yaml", methods.load("class_means").Config)
assert methods.about("class_means").paper == "Nobody 2026" and config.sharpness == 1.0

assert "worst class" in columns_of(MEASURES, DETAIL)
assert CORPORA["demo"].counts == {"angry": 2, "happy": 2}

folder = root / "egs/emodb2urdu_few_shot"
recipe = Recipe(folder, root, root, root, root, ["fbank_no_cmvn"], False)
assert (recipe.settings.protocol.target, len(recipe.rows) > 20) == ("urdu", True)
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the code with every diff of docs/adding.md applied."""
    root = tmp_path_factory.mktemp("adding")
    for name in ("ser", "conf"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "egs").mkdir()
    diffs = re.findall(r"^```diff\n(.*?)^```", (ROOT / "docs" / "adding.md").read_text(), re.S | re.M)
    assert len(diffs) == 5
    for diff in diffs:
        found = subprocess.run(["git", "apply", "-"], input=diff, cwd=root, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
    return root


def run(root, *command: str) -> subprocess.CompletedProcess:
    env = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "PYTHONSAFEPATH": "1", "HOME": str(root)}
    return subprocess.run([sys.executable, *command], cwd=root, env=env, capture_output=True, text=True)


def test_what_the_diffs_add_is_found_and_works(checkout):
    found = run(checkout, "-c", ADDED, str(checkout))
    assert found.returncode == 0, found.stderr


def test_the_corpus_that_a_diff_adds_is_prepared(checkout):
    from tests.fakes.wav import write_wav

    for i, name in enumerate(("ann_anger_1", "ann_joy_1", "bob_anger_1", "bob_joy_2")):
        write_wav(checkout / "demo" / f"{name}.wav", seed=i)
    found = run(checkout, "-m", "ser.bin.prepare_corpus", "demo", "demo", "data/demo")
    assert found.returncode == 0, found.stderr
    assert (checkout / "data/demo/utt2emo").read_text().split()[:2] == ["demo-ann-ann_anger_1", "angry"]


def shell_lines(text: str) -> list[str]:
    """List the commands of a page's shell blocks, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in (re.sub(r"\s+#.*", "", line).strip() for line in lines) if line and line[0] != "#"]


def options_of(command: str) -> str:
    """Find what a command says of its options; fails for a script that is not there."""
    module = re.search(r"python3? -m ser\.bin\.(\w+)", command)
    if module:
        return said(module[1])
    script = re.search(r"(?:^|\s)((?:utils|tests|egs|\.)\S*?\.sh)(?=\s|$)", command)
    if not script:
        return command  # of the system
    name = script[1]
    if name.startswith("egs/") or name == "./run.sh":
        return header(ROOT / "run.sh")
    assert (ROOT / name).is_file(), command
    more = said("new_recipe") if "new_recipe" in name else ""
    return header(ROOT / name) + more


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_commands_name_scripts_and_options_that_exist(path):
    for command in shell_lines(path.read_text()):
        known = options_of(command)
        for option in re.findall(r"(?<=\s)--([a-z_]+)", command):
            assert f"--{option}" in known, (path.name, command, option)


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", path.read_text(), flags=re.S)):
        if not link.startswith(("http:", "https:", "mailto:")):
            name, _, place = link.partition("#")
            target = path.parent / name if name else path
            assert target.exists(), (path.name, link)
            if place:
                heads = re.findall(r"^#+ (.*)$", target.read_text(), re.M)
                assert place in [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads], link


def test_the_site_has_pages_that_exist():
    import yaml

    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    pages = {page for entry in nav for page in entry.values()}
    assert len(pages) == len(nav) and pages <= {path.name for path in (ROOT / "docs").glob("*.md")}


def test_the_site_is_built_without_a_warning(tmp_path):
    """Every page is in the menu, and every link and place that it names is on the site."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed (pip install '.[docs]')")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "site" / "tutorial.html").exists()


def test_readme_is_a_page():
    assert len((ROOT / "README.md").read_text().splitlines()) < 150
