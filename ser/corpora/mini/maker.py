"""Embedded miniature corpora: speech-like audio in the layouts of the real releases.

`make` writes releases, so that a recipe runs from raw audio to its results table without any licensed recording.
A new corpus is one entry of `CORPORA`, and its layout (which files, who says what in which emotion, label files)
in `layouts.py`. How an utterance sounds and is rated is told in `voice.py`, which is imported
only when there is something to make.

Not here: reading releases (a parser per corpus, beside this file); results on these corpora say that the code
runs and nothing about people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser.corpora.mini import layouts
from ser.corpora.mini.layouts import Conditions, Labels, Prompt, Rate, Ratings
from ser.errors import ConfigError, unknown
from ser.system.files import alone, write_json
from ser.system.folders import Kind, check_free, check_place, mark_of, replacing_folder

MAKER_VERSION = 2  # raise it whenever the same seed and shift would give other files: releases are rewritten
MAX_SHIFT = 3.0  # further out the conditions leave their ranges


@dataclass(frozen=True)
class Release:
    """How a corpus is published, and what sets its sound apart."""

    folder: str
    rate_hz: int
    prompts: Callable[[], Iterator[Prompt]]
    conditions: Conditions
    labels: Callable[[Sequence[Prompt], Rate, int], Labels] = layouts.no_labels


AMERICAN = {"fronting_ratio": 0.96, "vowel_space_ratio": 0.85, "frication_db": -18, "rhythm_sd": 0.22}
"""The English of RAVDESS and, spoken faster in conversation, of IEMOCAP and MSP-IMPROV."""

CORPORA = {
    "ravdess": Release("RAVDESS", 48_000, layouts.ravdess_prompts, Conditions(
        **AMERICAN, formant_ratio=0.98, syllables_per_s=6.5, edge_silence_s=0.06,
        level_db=0.5, channel_tilt_db_per_octave=-0.3, high_cut_hz=7000, noise_floor_dbfs=-63,
    )),
    "emodb": Release("EMO-DB", 16_000, layouts.emodb_prompts, Conditions(  # German
        pitch_semitones=1, formant_ratio=1.03, fronting_ratio=1.05, vowel_space_ratio=1.1, frication_db=-13,
        syllables_per_s=7.0, rhythm_sd=0.12, edge_silence_s=0.04,
        level_db=-0.5, channel_tilt_db_per_octave=0.5, presence_db=1.5, low_cut_hz=90, high_cut_hz=6500,
        noise_floor_dbfs=-57,
    ), layouts.emodb_labels),
    "iemocap": Release("IEMOCAP_full_release", 16_000, layouts.iemocap_prompts, Conditions(
        **AMERICAN, formant_ratio=1.01, syllables_per_s=7.4, edge_silence_s=0.04,
        level_db=-1, channel_tilt_db_per_octave=-0.5, low_cut_hz=80, high_cut_hz=6200, noise_floor_dbfs=-56,
    ), layouts.iemocap_labels),
    "msp_improv": Release("MSP-IMPROV", 44_100, layouts.msp_improv_prompts, Conditions(
        **AMERICAN, pitch_semitones=0.5, syllables_per_s=7.6, edge_silence_s=0.035,
        level_db=0.5, channel_tilt_db_per_octave=0.3, presence_db=1, low_cut_hz=80, noise_floor_dbfs=-58,
    ), layouts.msp_improv_labels),
    "savee": Release("SAVEE", 44_100, layouts.savee_prompts, Conditions(  # British English
        pitch_semitones=-0.5, formant_ratio=0.98, fronting_ratio=0.99, vowel_space_ratio=1.05, frication_db=-15,
        syllables_per_s=7.2, rhythm_sd=0.2, edge_silence_s=0.04,
        level_db=0.5, presence_db=0.8, high_cut_hz=7000, noise_floor_dbfs=-64,
    ), layouts.savee_labels),
    "cafe": Release("CaFE_48k", 48_000, layouts.cafe_prompts, Conditions(  # Canadian French
        formant_ratio=1.02, fronting_ratio=1.07, vowel_space_ratio=1.05, frication_db=-17,
        syllables_per_s=7.8, rhythm_sd=0.11, edge_silence_s=0.04,
        channel_tilt_db_per_octave=0.2, presence_db=0.5, high_cut_hz=7200, noise_floor_dbfs=-66,
    ), layouts.cafe_labels),
    "urdu": Release("URDU", 44_100, layouts.urdu_prompts, Conditions(  # as heard on television
        pitch_semitones=0.5, fronting_ratio=1.02, vowel_space_ratio=0.92, frication_db=-15,
        syllables_per_s=7.4, rhythm_sd=0.14, edge_silence_s=0.035,
        level_db=1, channel_tilt_db_per_octave=-0.4, low_cut_hz=110, high_cut_hz=6000, noise_floor_dbfs=-54,
    ), layouts.urdu_labels),
    "aesdd": Release("AESDD", 44_100, layouts.aesdd_prompts, Conditions(  # Greek
        formant_ratio=1.01, fronting_ratio=1.03, vowel_space_ratio=0.95, frication_db=-14,
        syllables_per_s=8.0, rhythm_sd=0.12, edge_silence_s=0.045,
        level_db=-0.5, channel_tilt_db_per_octave=0.3, presence_db=-0.5, noise_floor_dbfs=-59,
    ), layouts.aesdd_labels),
    "casia": Release("CASIA", 16_000, layouts.casia_prompts, Conditions(  # Mandarin
        pitch_semitones=1, formant_ratio=1.03, fronting_ratio=0.98, vowel_space_ratio=1.1, frication_db=-12,
        syllables_per_s=5.9, rhythm_sd=0.13, edge_silence_s=0.04,
        level_db=0.5, presence_db=1.2, low_cut_hz=70, high_cut_hz=6700, noise_floor_dbfs=-62,
    )),
}  # fmt: skip
"""What can be made. RAVDESS and EMO-DB are so far apart that a recognizer moved from one to the other loses
about half of its recall; further apart in level and tilt, it would put every utterance into one class."""


def make(
    dest: Path, corpora: Sequence[str] = tuple(CORPORA), *, seed: int = 0, shift: float = 1.0
) -> dict[str, Path]:
    """Write miniature releases; one that is there already, made alike, is left as it is.

    A release appears as a whole, its `mini.json` included, or not at all: what an interrupted run leaves
    stands under a name of its own and is overwritten by the next.

    Args:
        dest: folder of the releases, made if need be.
        corpora: names from `CORPORA`.
        seed: of every draw.
        shift: distance between the corpora, 0 to 3: 0 leaves only other speakers and texts, 1 is clear.

    Returns:
        The root of each release.

    Raises:
        ConfigError: for a corpus that cannot be made, or a shift out of range.
        DataError: if a release's folder holds anything that was not made here.
    """
    for name in corpora:
        if name not in CORPORA:
            raise ConfigError(f"mini corpora: {unknown(name, CORPORA)}")
    if not 0 <= shift <= MAX_SHIFT:
        raise ConfigError(f"mini corpora: shift is {shift}; give a number from 0 to {MAX_SHIFT:g}")
    return {name: _make_release(Path(dest), name, seed, float(shift)) for name in corpora}


def _make_release(dest: Path, name: str, seed: int, shift: float) -> Path:
    release = CORPORA[name]
    root = dest / release.folder
    prompts = list(release.prompts())
    labels = release.labels(prompts, _rate(name, seed), seed)
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
    release = CORPORA[name]
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


def _rate(name: str, seed: int) -> Rate:
    def rate(prompt: Prompt) -> Ratings:
        from ser.corpora.mini import voice

        return voice.rate(name, prompt, seed=seed)

    return rate
