"""The contract of a method: what a file has to declare, and the sentence about one that does not."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ser import methods
from ser.errors import ConfigError
from ser.methods.base import ANSWERS, About, OptionalMembers, adaptation_of, answer


@pytest.fixture
def room(tmp_path, monkeypatch):
    """Give an empty room for methods, and a way to put a file there."""
    folder = tmp_path / "ser" / "methods"
    folder.mkdir(parents=True)
    monkeypatch.setattr(methods, "ROOM", folder)
    monkeypatch.setattr(methods, "__path__", [str(folder)])
    for function in (methods.about, methods.load):
        function.cache_clear()

    def put(name: str, text: str) -> Path:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        return folder / name

    yield put
    for function in (methods.about, methods.load):
        function.cache_clear()
    files = {name: str(getattr(module, "__file__", "")) for name, module in sys.modules.items()}
    for name in (name for name, file in files.items() if file.startswith(str(tmp_path))):
        del sys.modules[name]


ABOUT = "from ser.methods.base import About\nABOUT = About(paper=None, needs_torch=False)\n"
MEMBERS = "from ser.config import ConfigModel as Config\ntrained_on = target_data = train = predict = None\n"


def test_files_and_folders_of_the_room_are_methods(room):
    for name in (
        "base.py",
        "__init__.py",
        "_shared.py",
        "one.py",
        "two/__init__.py",
        "two/half.py",
        "data/notes.txt",
    ):
        room(name, "")
    assert methods.names() == ["one", "two"]


def test_a_file_and_a_folder_are_imported_by_their_names(room):
    room("file.py", ABOUT + MEMBERS)
    room("folder/__init__.py", ABOUT.replace("None", "'Me 2026'") + MEMBERS)
    assert About(paper=None, needs_torch=False) == methods.load("file").ABOUT
    assert methods.load("folder").ABOUT.paper == methods.about("folder").paper == "Me 2026"


def test_a_declaration_is_read_without_running_the_file(room):
    room(
        "mine.py", "import no_such_module\nABOUT = About(\n    paper='Me', needs_torch=True, starts_from=['mine'])\n"
    )
    assert methods.about("mine") == About(paper="Me", needs_torch=True, starts_from=["mine"])


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "does not declare what the method is; write 'ABOUT = About(paper=..., needs_torch=...)'"),
        ("ABOUT = 3\n", "does not declare what the method is"),
        ("ABOUT = About('Me', True)\n", "does not declare what the method is"),
        ("ABOUT = About(paper=None)\n", "ABOUT: needs_torch: is required and missing"),
        ("ABOUT = About(needs_torch=True)\n", "ABOUT: paper: is required and missing"),
        ("ABOUT = About(paper=None, need_torch=True)\n", "line 1: ABOUT: unknown 'need_torch'; did you mean 'needs_"),
        ("ABOUT = About(paper=None, needs_torch=1)\n", "ABOUT: needs_torch: expected True or False, found 1"),
        ("\nABOUT = About(paper=3, needs_torch=True)\n", "line 2: ABOUT: paper: expected a string or None, found 3"),
        ("ABOUT = About(paper=None, needs_torch=True, starts_from='mine')\n", "starts_from: expected a list of"),
        ("ABOUT = About(paper=None, needs_torch=True, starts_from=['your'])\n", "unknown 'your'; known: mine"),
        ("ABOUT = About(paper=None, needs_torch=not SLOW)\n", "needs_torch: expected a plain value, as it is read "
         "without running the file, found not SLOW"),
        ("ABOUT = About(\n", "line 1: not valid Python"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_one_sentence_with_the_file(room, text, said):
    room("mine.py", text)
    with pytest.raises(ConfigError, match=rf"^ser/methods/mine.py.*{re.escape(said)}"):
        methods.about("mine")


@pytest.mark.parametrize("member", ["Config", "trained_on", "target_data", "train", "predict"])
def test_a_missing_member_is_one_sentence_with_the_file(room, member):
    room("mine.py", ABOUT + MEMBERS + f"del {member}\n")
    with pytest.raises(ConfigError, match=rf"^ser/methods/mine.py: a method has to define {member}.*base.py"):
        methods.load("mine")


@pytest.mark.parametrize("key", ["cost", "adaptation"])
def test_a_declared_setting_has_to_be_one(room, key):
    room("mine.py", ABOUT.replace(")", f", {key}='penalty')") + MEMBERS)
    with pytest.raises(ConfigError, match=rf"^ser/methods/mine.py: ABOUT: {key}: Config has no setting 'penalty'"):
        methods.load("mine")


def test_an_unknown_method_is_told_with_its_nearest(room):
    room("mine.py", ABOUT)
    with pytest.raises(ConfigError, match="method: unknown 'mime'; did you mean 'mine'"):
        methods.about("mime")


@pytest.mark.parametrize("name", methods.names())
def test_every_method_keeps_the_contract(name):
    module = methods.load(name)
    about, other = methods.about(name), module.ABOUT.unused_as
    assert about._replace(unused=module.ABOUT.unused) == module.ABOUT
    assert about.unused == {**(methods.about(other).unused if other else {}), **module.ABOUT.unused}
    assert module.__doc__ and module.Config.model_fields["method"].annotation.__args__ == (name,)
    if module.ABOUT.cost is not None:
        assert module.ABOUT.cost in module.Config.model_fields


def test_methods_without_torch_import_none_and_the_others_do():
    import subprocess

    code = """
import importlib, sys
from ser import methods
sys.modules["torch"] = None  # so that importing it fails
for name in methods.names():
    try:
        importlib.import_module(methods.module_of(name))
        print(name, False)
    except ModuleNotFoundError as error:
        print(name, error.name == "torch" or error)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines() == [f"{name} {methods.about(name).needs_torch}" for name in methods.names()]


def test_a_method_that_lacks_an_optional_function_has_its_answer():
    assert all(hasattr(OptionalMembers, name) for name in ANSWERS)
    own = SimpleNamespace(rating=lambda config: config)
    assert answer(own, "rating", "valence") == "valence"
    assert {name: answer(SimpleNamespace(), name, None) for name in ANSWERS} == dict(ANSWERS)


def test_an_adaptation_is_named_by_the_setting_that_a_method_declares():
    about = About(paper=None, needs_torch=False, adaptation="bring_together")
    assert adaptation_of(about, {"bring_together": "coral", "normalization": "speaker"}) == "coral"
    assert adaptation_of(about, {"bring_together": None}) == adaptation_of(about, {}) == "none"
    assert adaptation_of(About(paper=None, needs_torch=False), {"normalization": "speaker"}) == "none"
