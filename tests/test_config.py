"""Configurations: what a value becomes, where it comes from, and the sentence for every mistake."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, model_validator

from ser.config import ConfigModel, build, find, load, read, split_override
from ser.errors import ConfigError


class Loss(ConfigModel):
    alpha: float
    beta: float = Field(default=2.0, gt=0)


class Training(ConfigModel):
    loss: Loss
    steps: int = 10


class Config(ConfigModel):
    name: str
    training: Training
    layer: int | Literal["last"] = "last"
    parts: dict[str, Loss] = {}
    rounds: list[Loss] = []
    extra: Loss | None = None

    @model_validator(mode="after")
    def _has_a_name(self) -> Config:
        if self.name == "nobody":
            raise ValueError("name 'nobody' is taken")
        return self


WHOLE = "name: a\ntraining:\n  loss: {alpha: 0.5}\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# ---- Values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-3", 0.001),  # text to PyYAML, which wants 1.0e-3
        ("1E5", 100000.0),
        ("-2.5e+1", -25.0),
        ("+.5", 0.5),
        ("3.", 3.0),
        ("-.inf", -math.inf),
        ("12", 12),
        ("-0", 0),
        ("1e", "1e"),
        ("e3", "e3"),
        ("1.2.3", "1.2.3"),
        ("'1e-3'", "1e-3"),
        ("2021-07-28x", "2021-07-28x"),
        ("true", True),
        ("~", None),
        ("[1, 1e1]", [1, 10.0]),
    ],
)
def test_words_become_the_values_that_people_mean(tmp_path, text, value):
    values, _ = read(write(tmp_path / "c.yaml", f"key: {text}"))
    assert values == {"key": value}
    assert type(values["key"]) is type(value)


def test_base_is_overlaid_key_by_key_at_every_depth(tmp_path):
    write(tmp_path / "shared/root.yaml", "name: root\ntraining:\n  loss: {alpha: 1, beta: 3}\n  steps: 5\n")
    write(tmp_path / "shared/middle.yaml", "base: root.yaml\nname: middle\ntraining: {loss: {beta: 4}}\n")
    path = write(tmp_path / "recipe/top.yaml", "base: ../shared/middle.yaml\ntraining: {loss: {alpha: 1e-1}}\n")
    assert load(path, Config) == Config(name="middle", training=Training(loss=Loss(alpha=0.1, beta=4.0), steps=5))
    values, origin = read(path)
    assert values == {"name": "middle", "training": {"loss": {"alpha": 0.1, "beta": 4}, "steps": 5}}
    assert {".".join(key): Path(file).name for key, file in origin.items()} == {
        "name": "middle.yaml",
        "training": "top.yaml",
        "training.loss": "top.yaml",
        "training.loss.alpha": "top.yaml",
        "training.loss.beta": "middle.yaml",
        "training.steps": "root.yaml",
    }


def test_lists_and_scalars_are_replaced_not_merged(tmp_path):
    write(tmp_path / "base.yaml", "a: [1, 2, 3]\nb: {x: 1}\nc: 1\n")
    path = write(tmp_path / "c.yaml", "base: base.yaml\na: [4]\nb: 2\nc: {y: 3}\n")
    assert read(path)[0] == {"a": [4], "b": 2, "c": {"y": 3}}


@pytest.mark.parametrize(
    "mini, overrides, steps, alpha",
    [
        (False, [], 5, 0.5),
        (True, [], 2, 0.25),  # alpha of the base's mini section, steps of the file's own
        (True, ["training.steps=1"], 1, 0.25),
        (False, ["training.steps=1", "training.steps=3", "training.loss.alpha=1e-3"], 3, 0.001),
    ],
)
def test_mini_sections_lie_over_their_files_and_overrides_over_everything(tmp_path, mini, overrides, steps, alpha):
    write(tmp_path / "base.yaml", WHOLE + "  steps: 4\nmini: {training: {steps: 3, loss: {alpha: 0.25}}}\n")
    path = write(tmp_path / "c.yaml", "base: base.yaml\ntraining: {steps: 5}\nmini: {training: {steps: 2}}\n")
    config = load(path, Config, overrides, mini)
    assert (config.training.steps, config.training.loss.alpha, config.training.loss.beta) == (steps, alpha, 2.0)


def test_overrides_are_read_as_yaml(tmp_path):
    path = write(tmp_path / "c.yaml", WHOLE)
    config = load(path, Config, ["layer=3", "name='3'", "rounds=[{alpha: 1}]", "extra.alpha=2"])
    assert (config.layer, config.name, config.rounds, config.extra) == (3, "3", [Loss(alpha=1)], Loss(alpha=2))
    assert split_override("a.b=c=d") == (["a", "b"], "c=d")


def test_configuration_cannot_change(tmp_path):
    config = load(write(tmp_path / "c.yaml", WHOLE), Config)
    with pytest.raises(ValueError, match="frozen"):
        config.training.steps = 1


# ---- Mistakes: file, key, what was found, what is allowed ------------------------------------------------------


@pytest.mark.parametrize(
    "text, message",
    [
        (WHOLE + "nam: b", "nam: unknown key 'nam'; did you mean 'name'? known: extra, layer, name, parts, "),
        ("name: a\ntraining: {loss: {alpha: 1, bta: 1}}", "training.loss.bta: unknown key 'bta'; did you mean "
         "'beta'? known: alpha, beta"),
        ("name: a\ntraining: {loss: {alpha: 1, x: 1}}", "training.loss.x: unknown key 'x'; known: alpha, beta"),
        (WHOLE + "parts: {p: {alpha: 1, bta: 1}}", "parts.p.bta: unknown key 'bta'; did you mean 'beta'? known: "
         "alpha, beta"),
        (WHOLE + "rounds: [{alpha: 1}, {alpha: 1, bta: 1}]", "rounds.1.bta: unknown key 'bta'; did you mean 'beta'"),
        (WHOLE + "extra: {alpha: 1, bta: 1}", "extra.bta: unknown key 'bta'; did you mean 'beta'? known: alpha"),
        ("name: a\ntraining: {loss: {beta: 1}}", "training.loss.alpha: is required and missing"),
        ("", "name: is required and missing"),
        (WHOLE + "  steps: 1.0", "training.steps: Input should be a valid integer, found 1.0"),
        (WHOLE + "  steps: '1'", "training.steps: Input should be a valid integer, found '1'"),
        (WHOLE + "  steps: true", "training.steps: Input should be a valid integer, found True"),
        (WHOLE + "  steps: ~", "training.steps: Input should be a valid integer, found None"),
        ("name: 3\ntraining: {loss: {alpha: 1}}", "name: Input should be a valid string, found 3"),
        ("name: a\ntraining: {loss: {alpha: high}}", "training.loss.alpha: Input should be a valid number, found "
         "'high'"),
        ("name: a\ntraining: {loss: {alpha: 1, beta: 0}}", "training.loss.beta: Input should be greater than 0, "
         "found 0"),
        ("name: a\ntraining: 3", "training: Input should be a valid dictionary or instance of Training, found 3"),
        ("name: nobody\ntraining: {loss: {alpha: 1}}", "name 'nobody' is taken"),
        (WHOLE + "1: 2", "1: Keys should be strings, found 1"),
        ("- a", "expected 'key: value' lines, found list"),
        (WHOLE + "layer: lst", "layer: Input should be a valid integer or 'last', found 'lst'"),
        (WHOLE + "layer: 1.5", "layer: Input should be a valid integer or 'last', found 1.5"),
        ("text", "expected 'key: value' lines, found str"),
        (WHOLE + "mini: 3", "mini: expected 'key: value' lines, found int"),
        (WHOLE + "base: [a]", "base: expected the name of a file, found ['a']"),
    ],
)  # fmt: skip
def test_wrong_content(tmp_path, text, message):
    path = write(tmp_path / "c.yaml", text)
    with pytest.raises(ConfigError) as error:
        load(path, Config, mini=True)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("name: a\nname: b\n", " line 1: not valid YAML: key 'name' stands twice"),
        ("a: 1\nb:\n  c: 1\n  c: 1\n", " line 3: not valid YAML: key 'c' stands twice"),
        ("a: [1\n", " line 2: not valid YAML: "),
        ("a: 1\n b: 2\n", " line 2: not valid YAML: mapping values are not allowed here"),
        ("a: !!python/object/apply:os.system ['touch executed']\n", " line 1: not valid YAML: could not determine"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(tmp_path, text, message):
    path = write(tmp_path / "c.yaml", text)
    with pytest.raises(ConfigError) as error:
        load(path, Config)
    assert str(error.value).startswith(f"{path}{message}")


def test_file_that_is_not_utf_8(tmp_path):
    (tmp_path / "c.yaml").write_bytes("name: é".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"c\.yaml: not UTF-8 at byte 6$"):
        load(tmp_path / "c.yaml", Config)


@pytest.mark.parametrize(
    "override, message",
    [
        ("training.steps=x", "{path} with --set training.steps=x: training.steps: Input should be a valid integer"),
        ("training.loss.alpah=1", "{path} with --set training.loss.alpah=1: training.loss.alpah: unknown key "
         "'alpah'; did you mean 'alpha'? known: alpha, beta"),
        ("training=3", "{path} with --set training=3: training: Input should be a valid dictionary"),
        ("name.x=3", "{path} with --set name.x=3: name: Input should be a valid string, found {{'x': 3}}"),
        ("a.b.c=3", "{path} with --set a.b.c=3: a: unknown key 'a'; known: "),
        ("training.steps=", "{path} with --set training.steps=: training.steps: Input should be a valid integer"),
        ("steps", "--set 'steps': expected key=value, as in loss.alpha=0.8"),
        ("=3", "--set '=3': expected key=value, as in loss.alpha=0.8"),
        ("training..steps=3", "--set 'training..steps=3': expected key=value, as in loss.alpha=0.8"),
        ("name=[", "--set name=[ line 1: not valid YAML: "),
        ("name=\udcff", "--set name=\udcff: not valid YAML: "),  # what a shell hands over that is no UTF-8
    ],
)  # fmt: skip
def test_wrong_override_is_told_as_it_was_given(tmp_path, override, message):
    path = write(tmp_path / "c.yaml", WHOLE)
    with pytest.raises(ConfigError) as error:
        load(path, Config, [override])
    assert str(error.value).startswith(message.format(path=path))


@pytest.mark.parametrize(
    "base, own, file, message",
    [
        (WHOLE + "  steps: x", "layer: 1", "base", "training.steps: Input should be a valid integer, found 'x'"),
        (WHOLE + "nam: {x: 1}", "layer: 1", "base", "nam: unknown key 'nam'"),
        (WHOLE + "nam: {}", "layer: 1", "base", "nam: unknown key 'nam'"),
        (WHOLE, "nam: {x: 1}", "c", "nam: unknown key 'nam'"),
        (WHOLE + "parts: {p: {alpha: 1}}", "parts: {p: 3}", "c", "parts.p: Input should be a valid dictionary"),
        ("name: a\ntraining: 3", "training: {steps: 4}", "c", "training.loss: is required and missing"),
        ("name: a", "layer: 1", "c", "training: is required and missing"),
    ],
)
def test_the_file_that_is_named_is_the_one_to_put_right(tmp_path, base, own, file, message):
    write(tmp_path / "base.yaml", base)
    path = write(tmp_path / "c.yaml", f"base: base.yaml\n{own}")
    with pytest.raises(ConfigError) as error:
        load(path, Config)
    assert str(error.value).startswith(f"{tmp_path / file}.yaml: {message}")


def test_base_that_leads_back_to_itself(tmp_path):
    one = write(tmp_path / "a.yaml", "base: b.yaml")
    write(tmp_path / "b.yaml", "base: sub/../a.yaml")
    write(tmp_path / "sub/x", "")
    with pytest.raises(ConfigError, match=r"b\.yaml: base: 'sub/\.\./a\.yaml' leads back to itself$"):
        load(one, Config)
    write(one, "base: a.yaml")
    with pytest.raises(ConfigError, match=r"a\.yaml: base: 'a\.yaml' leads back to itself$"):
        load(one, Config)


def test_one_base_may_be_reached_twice(tmp_path):
    """Two files with one base are no circle."""
    write(tmp_path / "root.yaml", WHOLE)
    for name in ("a", "b"):
        assert load(write(tmp_path / f"{name}.yaml", "base: root.yaml"), Config).name == "a"


@pytest.mark.parametrize("name", ["none.yaml", "folder"])
def test_missing_file(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError) as error:
        load(tmp_path / name, Config)
    assert str(error.value) == f"{tmp_path / name}: no such configuration file"
    path = write(tmp_path / "c.yaml", f"base: {name}")
    with pytest.raises(ConfigError) as error:
        load(path, Config)
    assert str(error.value) == f"{tmp_path / name}: no such configuration file"


def test_plain_values_without_a_file():
    assert build(Loss, {"alpha": 1}, "row x") == Loss(alpha=1.0)
    with pytest.raises(ConfigError, match="^row x: alpha: is required and missing$"):
        build(Loss, {}, "row x")


def test_recipes_own_file_comes_before_the_shared_one(tmp_path):
    shared = write(tmp_path / "conf/labels/four.yaml", "x: 1")
    write(tmp_path / "conf/labels/six.yaml", "x: 1")
    recipe = tmp_path / "egs/a2b"
    own = write(recipe / "conf/labels/six.yaml", "x: 2")
    assert find("labels", "four", recipe / "conf") == shared
    assert find("labels", "six", recipe / "conf") == own
    with pytest.raises(ConfigError, match="^conf/labels: unknown 'fourr'; did you mean 'four'[?] known: four, six$"):
        find("labels", "fourr", recipe)


def test_a_folder_that_is_a_link_stands_where_the_link_is(tmp_path):
    """A recipe outside the checkout, linked into egs/: its bases and the shared files are those of the checkout."""
    own, linked = tmp_path / "elsewhere" / "mine" / "conf", tmp_path / "root" / "egs" / "mine"
    for folder in (own, tmp_path / "root" / "conf" / "methods", linked.parent):
        folder.mkdir(parents=True)
    (tmp_path / "root" / "conf" / "methods" / "m.yaml").write_text("a: 1\nb: 2\n")
    (own / "m.yaml").write_text("base: ../../../conf/methods/m.yaml\nb: 3\n")
    linked.symlink_to(own.parent)
    assert read(linked / "conf" / "m.yaml")[0] == {"a": 1, "b": 3}
    assert find("methods", "m", linked / "conf").read_text() == "a: 1\nb: 2\n"
    (own / "n.yaml").write_text("base: m.yaml\n")
    (own / "m.yaml").write_text("base: n.yaml\n")
    with pytest.raises(ConfigError, match="leads back to itself"):
        read(linked / "conf" / "m.yaml")
