"""Which files decide a result: followed through imports of every kind, and what an edit of one changes."""

from __future__ import annotations

import re
import shutil
from types import SimpleNamespace

import pytest

from ser import methods
from ser.errors import ConfigError
from ser.recipe import code
from ser.recipe import recipe as recipes
from ser.recipe.code import code_hash, imported_code
from ser.recipe.rows import Row

REAL = code.ROOT


def forget() -> None:
    """Read files anew."""
    for function in (imported_code, code_hash, code._imports, code._bound, code._bare, methods.about, methods.load):
        function.cache_clear()


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Give an empty `ser/`, and a way to put files there."""
    root = tmp_path / "ser"
    monkeypatch.setattr(code, "ROOT", root)
    forget()

    def put(name: str, text: str) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        forget()

    put("__init__.py", "")
    yield put
    forget()


@pytest.mark.parametrize(
    "statement",
    [
        "from ser.losses import Near",
        "from ser.losses import Near as N",
        "from ser.losses.near import Near",
        "from ser.losses import near",
        "import ser.losses.near",
        "import ser.losses.near as n",
        "from ..losses import Near",
        "from ..losses.near import Near",
        "from .. import losses; from ..losses import near",
        "def f():\n    try:\n        from ser.losses import Near\n    finally:\n        pass",
        "if TYPE_CHECKING:\n    import ser.losses.near",
        "from . import own",
        "from .own import Near",
        "from ser.methods.folder import Near",
        "from ser.nn import Near",
    ],
)
def test_an_import_is_followed_to_the_file_that_defines_the_name(house, statement):
    house("losses/__init__.py", "from ser.losses.near import Near\nfrom .far import Far as Away\nEPS = 1\n")
    house("losses/near.py", "class Near: ...\n")
    house("losses/far.py", "class Far: ...\n")
    house("methods/own.py", "from ser.losses import Near\n")
    house("methods/folder/__init__.py", "from .part import Near\n")
    house("methods/folder/part.py", "from ...losses import Near\n")
    house("nn/__init__.py", "from ser.losses import Near\n")
    house("methods/mine.py", statement + "\n")
    found = imported_code("ser.methods.mine")
    assert "losses/near.py" in found and "methods/mine.py" in found
    assert ("losses/far.py" in found) == ("import losses" in statement)  # the face itself may lead anywhere


def test_names_of_a_face_that_it_defines_itself_lead_to_all_of_it(house):
    house("losses/__init__.py", "from ser.losses.near import Near\nBOTH = (Near,)\ndef load(): ...\n")
    house("losses/near.py", "")
    for name in ("BOTH", "load", "*"):
        house("methods/mine.py", f"from ser.losses import {name}\n")
        assert imported_code("ser.methods.mine") == ("losses/__init__.py", "losses/near.py", "methods/mine.py")


def test_other_packages_and_what_has_its_own_fingerprint_are_not_followed(house):
    house("data/audio.py", "")
    house("data/data_dir.py", "")
    house("errors.py", "")
    house("new_room/thing.py", "")
    house("methods/mine.py", "import numpy as np, serial\nfrom sermon import x\nfrom ser.errors import E\n"
          "from ser.data.data_dir import x\nimport ser.data.audio, ser.new_room.thing\n")  # fmt: skip
    assert imported_code("ser.methods.mine") == ("data/audio.py", "methods/mine.py", "new_room/thing.py")


@pytest.mark.parametrize(
    "statement, name",
    [
        ("from ser.loses import Near", "ser.loses.Near"),
        ("from ser.losses import Nearest", "ser.losses.Nearest"),
        ("import ser.losses.nearest", "ser.losses.nearest"),
        ("from ..loses import Near", "ser.loses.Near"),
        ("from ser.system import gone", "ser.system.gone"),
    ],
)
def test_an_import_that_leads_nowhere_is_an_error_with_file_and_line(house, statement, name):
    house("losses/__init__.py", "from ser.losses.near import Near\n")
    house("losses/near.py", "")
    house("system/__init__.py", "")
    house("methods/mine.py", f'"""Mine."""\n\n{statement}\n')
    said = f"ser/methods/mine.py line 3: imports {name}, which does not exist"
    with pytest.raises(ConfigError, match=re.escape(said)):
        imported_code("ser.methods.mine")


def test_comments_docstrings_and_layout_decide_nothing(house):
    house("a.py", '"""One."""\nX = 1\n')
    before = code_hash(("a.py",))
    house("a.py", '"""Two."""\n\n# three\nX  =  1\n"""Four."""\n')
    assert code_hash(("a.py",)) == before
    house("a.py", "X = 2\n")
    assert code_hash(("a.py",)) != before


def test_every_import_of_the_repository_leads_somewhere():
    forget()
    for path in REAL.rglob("*.py"):
        code._imports(path)
    forget()


METHOD = """from ser.losses import CenterLoss
from ser.methods.base import About

ABOUT = About(paper=None, needs_torch=False)
"""


def test_an_edited_loss_trains_the_rows_that_use_it_and_no_others(tmp_path, monkeypatch):
    """Behind the face of their package, a row's own loss changes its inputs; another method's does not."""
    root = tmp_path / "ser"
    shutil.copytree(REAL, root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "methods" / "mine.py").write_text(METHOD)
    for module in (code, recipes):
        monkeypatch.setattr(module, "ROOT", root)
    monkeypatch.setattr(methods, "ROOM", root / "methods")
    stubs = {"splits_of": lambda task: SimpleNamespace(fingerprint=""), "_made_from": lambda row: ""}

    def inputs(method: str) -> str:
        forget()
        row = Row("", method, method, "f", {"method": method}, {}, (1,), None, None, None, None)
        return recipes.Recipe.train_inputs(SimpleNamespace(**stubs), row, 1)["code"]

    def edit(name: str) -> None:
        path = root / "losses" / name
        path.write_text(path.read_text() + "\nEDITED = True\n")

    mine, others = inputs("mine"), inputs("emofsl")
    edit("center.py")
    assert inputs("mine") != mine and inputs("emofsl") == others
    mine = inputs("mine")
    edit("emotion_distance.py")
    assert inputs("mine") == mine and inputs("emofsl") != others
    forget()
