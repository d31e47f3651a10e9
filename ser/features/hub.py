"""Models in the layout of the Hugging Face hub: a folder, or a name whose files are in the hub's cache or downloaded.

Files are taken from the cache if it has them, so that a run never changes with the hub, and needs no network twice.
Neither code of a repository nor a pickle is downloaded. Not here: building a model (`encoders/huggingface.py`).
"""

from __future__ import annotations

import difflib
import os
import re
from importlib.metadata import version
from pathlib import Path

from ser.errors import ConfigError
from ser.system.files import hash_files

PREFIX = "hf:"
"""Beginning of the name of an upstream that stands on the hub, or in a folder of its layout."""

SETTINGS = ("config.json", "preprocessor_config.json", "processor_config.json")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
FILES = [*SETTINGS, *WEIGHTS]
"""What is fetched of a repository, which often holds the same weights in other formats, too."""

KNOWN = (
    "facebook/data2vec-audio-base", "facebook/data2vec-audio-large", "facebook/hubert-base-ls960",
    "facebook/hubert-large-ll60k", "facebook/w2v-bert-2.0", "facebook/wav2vec2-base",
    "facebook/wav2vec2-large-xlsr-53", "facebook/wav2vec2-xls-r-300m", "facebook/wav2vec2-xls-r-1b",
    "microsoft/wavlm-base", "microsoft/wavlm-base-plus", "microsoft/wavlm-large", "openai/whisper-tiny",
    "openai/whisper-base", "openai/whisper-small", "openai/whisper-medium", "openai/whisper-large-v2",
    "openai/whisper-large-v3",
)  # fmt: skip
"""Encoders that are used much, for a misspelt name; every other one of their classes is taken, too."""

EMOTION2VEC = (
    "upstream: emotion2vec is no model of transformers: it needs FunASR, its own package, and pickled weights; "
    "extract its features there (it was trained on open corpora of emotions, emotion2vec+ also on labels: do not "
    "test it on these) and name them as 'upstream: own'"
)


def is_hub(upstream: str) -> bool:
    return upstream.startswith(PREFIX)


def joined(upstream: str, revision: str | None) -> str:
    """Name a model and its revision in one word, `hf:NAME@REVISION`."""
    return f"{upstream}@{revision}" if revision else upstream


def parted(name: str) -> tuple[str, str | None]:
    """Part what `joined` joined."""
    model, _, revision = name.removeprefix(PREFIX).partition("@")
    if revision and not _is_path(model) and not Path(name.removeprefix(PREFIX)).is_dir():
        return f"{PREFIX}{model}", revision
    return name, None


def problem(upstream: str, revision: str | None) -> str | None:
    """Say what is wrong with a name; None if it is a folder's or may be a repository's."""
    name = upstream.removeprefix(PREFIX)
    if "emotion2vec" in name and not _is_path(name):
        return EMOTION2VEC
    if "://" not in name and _is_path(name):
        return revision and f"revision: found '{revision}'; a folder has none, only a name on the hub"
    if "://" not in name and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        return None
    return (
        f"upstream: '{upstream}' is neither '{PREFIX}OWNER/NAME' of the hub nor '{PREFIX}FOLDER'; a revision is a "
        "key of its own, 'revision:'"
    )


def nearest(name: str) -> str | None:
    """Find the much used encoder that a name seems to mean, as `hf:OWNER/NAME`.

    Args:
        name: with or without `hf:`, an owner, or the address of the hub, in any spelling.

    Example:
        >>> nearest("whisper_base"), nearest("hf:openai/wisper-base"), nearest("fbank")
        ('hf:openai/whisper-base', 'hf:openai/whisper-base', None)
    """

    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9.]+", "-", text.lower())

    *_, last = name.removeprefix(PREFIX).rpartition("/")
    known = {plain(one.rpartition("/")[2]): one for one in KNOWN}
    found = difflib.get_close_matches(plain(last), known, n=1, cutoff=0.8)
    return f"{PREFIX}{known[found[0]]}" if found else None


def identity(upstream: str, revision: str | None) -> dict[str, object]:
    """Tell what decides a model's numbers: of a folder its files and not its path, else its name and revision."""
    own: dict[str, object] = {"transformers": version("transformers")}
    if not _is_path(upstream.removeprefix(PREFIX)):
        return own | {"revision": revision}
    folder = model_folder(upstream)
    names = sorted(path.name for one in FILES for path in folder.glob(one))
    return own | {"upstream": PREFIX, "files": hash_files(folder, names)}


def check_usable(upstream: str, revision: str | None) -> None:
    """Raise ConfigError for a folder that is not there, and for a name that is not in the cache while offline."""
    if _is_path(upstream.removeprefix(PREFIX)) or _offline():
        model_folder(upstream, revision)


def model_folder(upstream: str, revision: str | None = None) -> Path:
    """Find the folder of a model's files; download what the cache does not have.

    Args:
        upstream: `hf:OWNER/NAME`, or `hf:FOLDER` with `$NAME` and `~` in it.
        revision: a commit, tag or branch of the hub; None is `main`, as it was when it was downloaded.

    Raises:
        ConfigError: for a folder that holds no such model, an unknown name, no network, or weights in no safetensors.
    """
    name = upstream.removeprefix(PREFIX)
    folder = _given(name) if _is_path(name) else _cached(name, revision) or _downloaded(name, revision)
    if not (folder / "config.json").is_file():
        raise ConfigError(f"upstream '{upstream}': no file '{folder / 'config.json'}'; name the folder of a model")
    if not weight_files(folder):
        todo = "" if _is_path(name) else "name a 'revision' that has one (often refs/pr/1), or "
        raise ConfigError(
            f"upstream '{upstream}': has no model.safetensors, and pickled weights are not read; {todo}save the "
            "model anew with transformers' save_pretrained"
        )
    return folder


def weight_files(folder: Path) -> list[Path]:
    """List the files that hold a model's weights, one or several."""
    one = folder / WEIGHTS[0]
    return [one] if one.is_file() else sorted(folder.glob(WEIGHTS[2]))


def _is_path(name: str) -> bool:
    return name.startswith(("/", ".", "~", "$")) or name.count("/") > 1 or (name != "" and Path(name).is_dir())


def _given(name: str) -> Path:
    folder = Path(os.path.expandvars(name)).expanduser()
    if not folder.is_dir():
        variable = re.match(r"\$(\w+)", name)
        todo = f"set {variable[1]} in conf/db.sh" if variable else "name the folder that holds config.json"
        raise ConfigError(f"upstream '{PREFIX}{name}': no folder '{folder}'; {todo}")
    return folder


def _offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _cached(name: str, revision: str | None) -> Path | None:
    """Find the snapshot of a repository in the cache, if all its files are there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=FILES, local_files_only=True))
    except HFValidationError:
        raise ConfigError(f"upstream '{PREFIX}{name}': the hub allows no such name; write OWNER/NAME") from None
    except OSError as error:  # a snapshot without all files may hold those of a model, which another program fetched
        folder = Path(getattr(error, "snapshot_path", None) or os.devnull)
    return folder if (folder / "config.json").is_file() and weight_files(folder) and _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    """Whether no file of several is missing, as their names tell their number."""
    shards = sorted(folder.glob(WEIGHTS[2]))
    return not shards or len(shards) == int(shards[0].stem.rpartition("-")[2])


def _downloaded(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=FILES))
        if not _is_whole(folder):  # offline it gives what there is
            raise FileNotFoundError("some of its files are missing")
        return folder
    except GatedRepoError:
        raise ConfigError(
            f"upstream '{PREFIX}{name}': its owner asks who uses it; accept the terms on its page, then run: "
            "hf auth login"
        ) from None
    except RepositoryNotFoundError:
        near = nearest(name)
        hint = f"did you mean '{near}'?" if near else "its page on the hub shows OWNER/NAME"
        raise ConfigError(f"upstream '{PREFIX}{name}': the hub has no such public model; {hint}") from None
    except RevisionNotFoundError:
        raise ConfigError(f"upstream '{PREFIX}{name}': the hub has no revision '{revision}' of it") from None
    except Exception as error:  # whatever the network, a proxy or the disk made it raise
        reason = (str(error).splitlines() or ["no reason given"])[0]
        at = f" --revision {revision}" if revision else ""
        files = " ".join(f"--include '{one}'" for one in FILES)  # each: what else follows would be names of files
        near = None if name in KNOWN else nearest(name)
        asked = f"did you mean '{near}'? if not, " if near else ""
        raise ConfigError(
            f"upstream '{PREFIX}{name}': is not in the hub's cache and could not be downloaded "
            f"({type(error).__name__}: {reason}); {asked}where there is a network, run: hf download {name}{at} "
            f"{files} --local-dir {name.rpartition('/')[2]}, copy that folder here and name it: "
            f"upstream: {PREFIX}FOLDER"
        ) from None
