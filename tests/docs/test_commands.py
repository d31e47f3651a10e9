"""Every command and program of README.md and docs/ runs, in the order of its page, on miniatures.

A page is one shell: what an earlier block made, a later one uses. Words that stand for a reader's own files are
replaced (`MINIATURES`; `tests.docs.reader` writes the files), recipes run with few systems (`SMALL`), and what cannot
run here is listed with its reason (`CANNOT`). That options exist is tested for all commands (`test_pages`).
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.reader import EXP, write_files
from tests.docs.test_pages import PAGES
from tests.recipes.conftest import RECIPE, Checkout, warm_env

CANNOT = {
    r"utils/download_corpus\.sh ": "downloads; tests/corpora/test_downloads.py does so from a server of its own",
    r"pip install ": "installs",
    r"vi ": "opens an editor",
    r"egs/ravdess2mylab/run\.sh ": "takes long; tests/recipes/test_emofsl_recipes.py runs such a recipe",
    r"egs/mymatrix/run\.sh": "takes long; tests/recipes/test_transfer.py runs it, with all systems",
    r"\./run\.sh$": "runs five recipes; tests/recipes runs all of them",
    r"tests/run\.sh$": "is this suite",
    r"cmd_backend=slurm ": "needs a cluster; tests/recipes/test_slurm.py has one",
    r".* --features (\"wavlm_large |whisper_|wavlm_)": "downloads an encoder; tests/features/encoders has small ones",
    r"hf download ": "downloads; tests/features/test_hub.py has a hub of its own",
    r".* --simulate_mistake ": "trains every system twice; tests/recipes/test_mistakes.py does",
    r"python -m ser\.bin\.meta_validation ": "needs a larger matrix; tests/recipes/test_transfer.py has one",
}
"""How a command begins that is not run -> why."""

ELSEWHERE = {
    ("running.md", rf"egs/{RECIPE}/run\.sh --db_root "): "README.md",
    ("cluster.md", rf"egs/{RECIPE}/run\.sh --db_root "): "README.md",
}
"""Page, and how a command begins that another page runs -> that page."""

OPTIONS = f"--recipe egs/{RECIPE} --data data_mini --dump dump_mini --splits {EXP}/splits --exp {EXP} --mini true"

MINIATURES = {
    r"/path/to/corpora": "corpora",
    r"/path/to/(\w+)": r"corpora/\1",
    r"egs/emodb/exp/four_class/linear_svc-egemaps": f"{EXP}/btl-fbank_no_cmvn",
    rf"egs/{RECIPE}/exp/(\w+)-\w+": rf"{EXP}/\1-fbank_no_cmvn",
    r"egs/emodb/splits/four_class": f"{EXP}/splits",
    r"(emobox .*) --data data": r"\1 --data data_mini",
    r"data/emovo ": "data_mini/emodb ",
    r"\bOPTIONS\b": OPTIONS,
    r"--systems smap emofsl_speaker": "--systems support_only --draws 1",
    r"--versus emofsl_speaker": "--versus support_only",
    r"adapt\.epochs=100": "adapt.epochs=2",
}
"""What a page says -> what a miniature has in its place."""

SMALL = {
    rf"(egs/{RECIPE}|\.)/run\.sh": "--mini true",
    r"egs/emodb2mylab/run\.sh": "--rows emofsl --seeds 1",
    r"egs/\w+/run\.sh": "--rows lr_source",
}
"""A command of a recipe -> options with which it takes seconds."""


def reason(command: str, page: str) -> str | None:
    """Say why a command of a page is not run."""
    reasons = CANNOT | {begins: f"{other} runs it" for (own, begins), other in ELSEWHERE.items() if own == page}
    return next((why for begins, why in reasons.items() if re.match(begins, command)), None)


def in_miniature(command: str) -> str:
    """Write a command for miniatures."""
    for words, own in MINIATURES.items():
        command = re.sub(words, own, command)
    options = next((options for begins, options in SMALL.items() if re.match(begins, command)), "")
    command = f"{command} {options}".rstrip()
    if command.startswith("utils/new_recipe.sh"):
        recipe = f"egs/{command.split()[1]}/conf/recipe.yaml"
        command += f"; sed -i -E '/^(draws|shots):/d' {recipe}; printf 'draws: 1\\nshots: [5]\\n' >> {recipe}"
    return command


def blocks(page: str) -> list[tuple[str, str]]:
    """List what a page lets its readers run, in order: `sh` or `python`, and the text."""
    return re.findall(r"^```(sh|python)\n(.*?)^```", page, re.S | re.M)


def commands(text: str) -> list[str]:
    """List the commands of a shell block without comments; one that goes on in the next line is one."""
    lines = (re.sub(r"(^|\s+)#.*", "", line) for line in re.sub(r"\\\n\s*", "", text).splitlines())
    return [line for line in lines if line.strip()]


def script(path: Path) -> str:
    """Write a page as one script, "" if nothing of it can run."""
    lines = []
    for kind, text in blocks(path.read_text()):
        if kind == "python":
            lines.append(f"python - <<'END'\n{in_miniature(text)}\nEND")
        else:
            lines += [in_miniature(command) for command in commands(text) if reason(command, path.name) is None]
    head = ["set -eE -o pipefail", 'python() { python3 "$@"; }', "trap 'echo \"failed: $BASH_COMMAND\" >&2' ERR"]
    return "\n".join([*head, *lines]) + "\n" if lines else ""


@pytest.fixture(scope="module")
def reader(finished, nine, tmp_path_factory) -> Checkout:
    """A checkout whose recipe has run, with the files that pages take for granted."""
    checkout = finished.copy(tmp_path_factory.mktemp("reader") / "ser")
    write_files(checkout, nine)
    return checkout


@pytest.mark.parametrize("path", [path for path in PAGES if script(path)], ids=lambda path: path.name)
def test_what_a_page_says_runs(path, reader, tmp_path):
    root = reader.copy(tmp_path / "ser").root
    env = {**os.environ, **warm_env(), "PYTHONPATH": str(root), "PYTHONSAFEPATH": "1", "SER_READY": "1"}
    found = subprocess.run(["bash", "-c", script(path)], cwd=root, capture_output=True, text=True, env=env)
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-3000:]


def test_what_is_replaced_or_left_out_stands_on_a_page():
    texts = [path.read_text() for path in PAGES]
    said = [command for text in texts for kind, own in blocks(text) if kind == "sh" for command in commands(own)]
    assert len(said) > 40
    for begins in CANNOT:
        assert any(re.match(begins, command) for command in said), begins
    for (page, begins), other in ELSEWHERE.items():
        on = {path.name: path.read_text() for path in PAGES}
        assert all(re.search(f"^{begins}", on[name], re.M) for name in (page, other)), begins
    for words in MINIATURES:
        assert any(re.search(words, text) for text in texts), words
