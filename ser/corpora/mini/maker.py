"""Embedded miniature corpora: speech-like audio in the layouts of the real releases.

`make` writes releases, so that a recipe runs from raw audio to its results table without any licensed recording.
Which files and label files there are, and who says what in which emotion, a corpus' own file declares. How an
utterance sounds and is rated stands in `voice.py`, which is imported only when there is something to make.

Not here: reading releases; results on these corpora say that the code runs and nothing about people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ser.corpora import CORPORA
from ser.corpora.miniature import Labels, Miniature, Prompt, Rate, Ratings
from ser.errors import ConfigError, unknown
from ser.system.files import alone, write_json
from ser.system.folders import Kind, check_free, check_place, mark_of, replacing_folder

MAKER_VERSION = 2  # raise it whenever the same seed and shift would give other files: releases are rewritten
MAX_SHIFT = 3.0  # further out the conditions leave their ranges


def miniatures() -> dict[str, Miniature]:
    """List what can be made.

    RAVDESS and EMO-DB are so far apart that a recognizer moved from one to the other loses about half of its recall;
    further apart in level and tilt, it would put every utterance into one class.
    """
    return {name: corpus.miniature for name, corpus in CORPORA.items() if corpus.miniature}


def make(dest: Path, corpora: Sequence[str] = (), *, seed: int = 0, shift: float = 1.0) -> dict[str, Path]:
    """Write miniature releases; one that is there already, made alike, is left as it is.

    A release appears as a whole, its `mini.json` included, or not at all: what an interrupted run leaves
    stands under a name of its own and is overwritten by the next.

    Args:
        dest: folder of the releases, made if need be.
        corpora: names; none for all that can be made.
        seed: of every draw.
        shift: distance between the corpora, 0 to 3: 0 leaves only other speakers and texts, 1 is clear.

    Returns:
        The root of each release.

    Raises:
        ConfigError: for a corpus that cannot be made, or a shift out of range.
        DataError: if a release's folder holds anything that was not made here.
    """
    known = miniatures()
    for name in corpora:
        if name not in known:
            raise ConfigError(f"mini corpora: {unknown(name, known)}")
    if not 0 <= shift <= MAX_SHIFT:
        raise ConfigError(f"mini corpora: shift is {shift}; give a number from 0 to {MAX_SHIFT:g}")
    return {name: _make_release(Path(dest), name, seed, float(shift)) for name in corpora or known}


def _make_release(dest: Path, name: str, seed: int, shift: float) -> Path:
    release = miniatures()[name]
    root = dest / release.folder
    prompts = list(release.prompts())
    labels = release.labels(prompts, _rate(name, release, seed), seed)
    summary = {
        "corpus": name,
        "release": "mini",
        "maker": MAKER_VERSION,
        "seed": seed,
        "shift": shift,
        "counts": Counter(prompt.emotion for prompt in prompts),
        "total": len(prompts),
        "label_files": sorted(labels),
    }
    kind = _kind(name, {prompt.path for prompt in prompts})
    if _is_made(root, kind, summary):
        return root
    check_place(root)
    check_free(root, kind)
    with alone(root):  # recipes share it, and the second finds what the first has made
        if not _is_made(root, kind, summary):
            _write_release(root, kind, prompts, labels, summary)
    return root


def _is_made(root: Path, kind: Kind, summary: Mapping[str, object]) -> bool:
    return mark_of(root, kind) == summary and all((root / file).is_file() for file in kind.holds(summary))


def _write_release(
    root: Path, kind: Kind, prompts: Sequence[Prompt], labels: Labels, summary: Mapping[str, object]
) -> None:
    from ser.corpora.mini.voice import synthesize, write_wav

    name, seed, shift = (summary[key] for key in ("corpus", "seed", "shift"))
    release = miniatures()[name]
    conditions = release.conditions.at(shift)
    with replacing_folder(root, kind) as part:
        for prompt in prompts:
            samples = synthesize(name, prompt, conditions, rate_hz=release.rate_hz, seed=seed)
            write_wav(part / prompt.path, samples, release.rate_hz, prompt.n_channels)
        for path, text in labels.items():
            (part / path).parent.mkdir(parents=True, exist_ok=True)
            (part / path).write_text("".join(text), encoding="latin-1", newline="")
        write_json(part / kind.mark, summary)


def _kind(name: str, wavs: set[str]) -> Kind:
    """Describe a miniature release of one corpus, which alone may be replaced."""
    return Kind(
        name=f"miniature of {name}",
        mark="mini.json",
        is_ours=lambda made: made["release"] == "mini" and made["corpus"] == name and "maker" in made,
        holds=lambda made: [*wavs, *made["label_files"]],
    )


def _rate(name: str, release: Miniature, seed: int) -> Rate:
    def rate(prompt: Prompt) -> Ratings:
        from ser.corpora.mini import voice

        return voice.rate(name, prompt, release.ratings, seed=seed)

    return rate
