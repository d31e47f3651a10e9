"""Finding a model's files: a folder, the hub's cache, the hub; never anything but settings and safetensors."""

from __future__ import annotations

import shlex
from fnmatch import fnmatch
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from ser.errors import ConfigError
from ser.features import hub
from ser.features.config import FeatureConfig

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, without a network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


def cached(cache: Path, name: str, *files: str, ref: str = "main") -> Path:
    """Put files into the cache the way that the hub's client lays them out."""
    folder = cache / f"models--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / ref).write_text(COMMIT)
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for file in files:
        (snapshot / file).write_text(file)
    return snapshot


def refusal(upstream: str, revision: str | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        hub.model_folder(upstream, revision)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_cache_is_enough(cache):
    snapshot = cached(cache, "owner/name", "config.json", "model.safetensors")
    assert hub.model_folder("hf:owner/name") == snapshot
    assert hub.model_folder("hf:owner/name", COMMIT) == snapshot
    hub.check_usable("hf:owner/name", None)
    assert "'hf:owner/name': is not in the hub's cache" in refusal("hf:owner/name", "v2")


def test_some_of_several_files_are_not_enough(cache):
    snapshot = cached(cache, "owner/name", "config.json", "model-00001-of-00002.safetensors")
    assert "is not in the hub's cache" in refusal("hf:owner/name")
    (snapshot / "model-00002-of-00002.safetensors").touch()
    assert [path.name[:11] for path in hub.weight_files(hub.model_folder("hf:owner/name"))] == [
        "model-00001", "model-00002"]  # fmt: skip


@pytest.mark.filterwarnings("error")
def test_without_a_network_the_command_for_elsewhere_fetches_what_is_needed(cache, monkeypatch):
    """As the hub's own command line reads it."""
    from huggingface_hub.cli import download, hf

    calls = []
    monkeypatch.setattr(download, "snapshot_download", lambda **told: calls.append(told) or "folder")
    for revision in (None, COMMIT):
        said = refusal("hf:openai/whisper-base", revision)
        assert "is not in the hub's cache and could not be downloaded (" in said and "did you mean" not in said
        command, then = said.partition("run: ")[2].split(", copy that folder here and name it: ")
        assert then == "upstream: hf:FOLDER"
        with pytest.raises(SystemExit) as end:
            hf.app(shlex.split(command)[1:])
        assert not end.value.code
        told = calls.pop()
        assert (told["repo_id"], told["revision"], told["local_dir"]) == (
            "openai/whisper-base",
            revision,
            "whisper-base",
        )
        assert told["allow_patterns"] == hub.FILES
    with pytest.raises(ConfigError, match="run: hf download"):  # before anything is computed
        FeatureConfig(upstream="hf:openai/whisper-base").check_usable()


@pytest.mark.parametrize("name", ["hf:openai/wisper-base", "hf:whisper-base", "hf:OpenAI/Whisper_base"])
def test_offline_a_misspelt_name_leads_to_the_nearest(cache, name):
    assert "); did you mean 'hf:openai/whisper-base'? if not, where there is" in refusal(name)


def test_only_settings_and_safetensors_are_fetched(cache, monkeypatch, tmp_path):
    hidden = ["pytorch_model.bin", "modeling_own.py", "model.fp32-00001-of-00002.safetensors", "flax_model.msgpack"]
    wanted = ["config.json", "preprocessor_config.json", "model.safetensors", "model.safetensors.index.json"]
    calls = []

    def download(name, revision=None, allow_patterns=(), local_files_only=False):
        if local_files_only:
            raise errors.LocalEntryNotFoundError("not there")
        calls.append((name, revision))
        for file in (*hidden, *wanted):
            if any(fnmatch(file, pattern) for pattern in allow_patterns):
                (tmp_path / file).touch()
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert hub.model_folder("hf:owner/name", "v1") == tmp_path
    assert calls == [("owner/name", "v1")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(wanted)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("RepositoryNotFoundError", "the hub has no such public model; did you mean 'hf:microsoft/wavlm-large'?"),
        ("RevisionNotFoundError", "the hub has no revision 'v9' of it"),
        ("GatedRepoError", "accept the terms on its page, then run: hf auth login"),
    ],
)
def test_what_the_hub_answers_is_one_sentence(error, said, monkeypatch):
    kind = getattr(errors, error)

    def download(name, local_files_only=False, **_):
        raise errors.LocalEntryNotFoundError("x") if local_files_only else kind.__new__(kind)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert said in refusal("hf:microsoft/wavlm-lage", "v9")


def test_a_folder_is_named_by_its_path_or_a_variable(tmp_path, monkeypatch):
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).touch()
    monkeypatch.setenv("MODEL", str(tmp_path))
    monkeypatch.chdir(tmp_path.parent)
    for name in (str(tmp_path), "$MODEL", f"./{tmp_path.name}", tmp_path.name):
        assert hub.model_folder(f"hf:{name}").samefile(tmp_path)
    monkeypatch.delenv("MODEL")
    assert "no folder '$MODEL'; set MODEL in conf/db.sh" in refusal("hf:$MODEL")
    assert "no folder '/no/where'; name the folder that holds config.json" in refusal("hf:/no/where")
    with pytest.raises(ConfigError, match="no folder '/no/where'"):
        FeatureConfig(upstream="hf:/no/where").check_usable()


def test_a_folders_content_is_in_the_key_and_a_name_with_its_revision(tmp_path, monkeypatch):
    def key(**settings: object) -> str:
        return FeatureConfig(**settings).folder("f")

    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        for file in ("config.json", "model.safetensors"):
            (folder / file).write_text(file)
    first = key(upstream=f"hf:{one}")
    assert key(upstream=f"hf:{two}") == first
    (two / "README.md").write_text("x")
    assert key(upstream=f"hf:{two}") == first
    keys = {first}
    for file in ("config.json", "model.safetensors", "preprocessor_config.json"):
        (two / file).write_text("other")
        keys.add(key(upstream=f"hf:{two}"))
    keys |= {key(upstream="hf:a/b"), key(upstream="hf:a/c"), key(upstream="hf:a/b", revision="v1")}
    monkeypatch.setattr(hub, "version", lambda package: "0")
    keys.add(key(upstream="hf:a/b"))
    assert len(keys) == 8
    assert "revision" not in FeatureConfig(upstream="fbank").identity()


def test_names_and_revisions_are_joined_and_parted(tmp_path, monkeypatch):
    (tmp_path / "a@b").mkdir()
    monkeypatch.chdir(tmp_path)
    assert FeatureConfig(upstream="hf:a/b", revision="refs/pr/1").encoder == "hf:a/b@refs/pr/1"
    for upstream, revision in (("hf:a/b", None), ("hf:a/b", "refs/pr/1"), ("hf:/x/y@z", None), ("hf:a@b", None)):
        assert hub.parted(hub.joined(upstream, revision)) == (upstream, revision)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"upstream": "hf:a/b@v1"}, "is neither 'hf:OWNER/NAME' of the hub nor 'hf:FOLDER'; a revision is a key"),
        ({"upstream": "hf:"}, "is neither 'hf:OWNER/NAME'"),
        ({"upstream": "hf:https://huggingface.co/a/b"}, "is neither 'hf:OWNER/NAME'"),
        ({"upstream": "hf:/x", "revision": "v1"}, "revision: found 'v1'; a folder has none"),
        ({"upstream": "hf:a/b", "ckpt": "x.pt"}, "ckpt is not for hf:a/b; a folder is named as hf:FOLDER"),
        ({"upstream": "hf:emotion2vec/emotion2vec_base"}, "emotion2vec is no model of transformers: it needs FunASR"),
        ({"upstream": "emotion2vec"}, "emotion2vec is no model of transformers: it needs FunASR"),
        ({"upstream": "fbank", "revision": "v1"}, "revision is only for hf:NAME, not for fbank"),
    ],
)
def test_settings_that_do_not_go_together_are_named(settings, said):
    with pytest.raises(ValueError, match=said):
        FeatureConfig(**settings)


def test_everything_much_used_has_a_name_of_the_hub():
    assert all(hub.problem(f"hf:{name}", "v1") is None for name in hub.KNOWN)
