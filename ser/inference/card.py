"""The model card of a trained row, `README.md` of its folder: its description, data, scores, and limits.

Everything is taken from `model.json` and the scores; the folder's `metrics.json` has all of the latter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ser.features.config import layer_text
from ser.results.lines import Line
from ser.results.measures import percent, span
from ser.results.scores import Scored
from ser.results.sections import wrapped

SEES = {
    "unlabelled-train": "audio of its training speakers, without labels",
    "unlabelled-test": "the test audio, without labels",
    "k-shot": "k labelled utterances of each class",
    "labelled": "labelled utterances",
}
"""Word of `target_data` -> what it means."""


def model_card(about: Mapping[str, Any], scored: Sequence[Scored | Line], environment: Mapping[str, Any]) -> str:
    """Write the card.

    Args:
        about: `model.json`.
        scored: its scores on each condition, with intervals.
        environment: `env.json`.
    """
    title = f"{about['row']} on {about['feature']['name']}"
    task = f", task {about['task']}" if about["task"] else ""
    sections = [
        f"# {title}, recipe {about['recipe']}{task}, seed {about['seed']}",
        wrapped(
            "A speech emotion recognizer, written by `python -m ser.bin.score`. It was made for research: to compare "
            "methods on corpora of mostly acted speech."
        ),
        *([f"**{stamp}**" for stamp in about["stamps"]]),
        "## Use",
        _use(about),
        "## Data",
        _data(about),
        "## Numbers",
        _numbers(about, scored),
        "## Limits",
        _limits(about),
        "## Environment",
        f"ser {environment['ser']}, commit {environment['commit']}, {environment['date']}; "
        + ", ".join(f"{name} {version}" for name, version in environment["packages"].items()),
    ]  # fmt: skip
    return "\n\n".join(sections) + "\n"


def _use(about: Mapping[str, Any]) -> str:
    if about["refuses_new_audio"]:
        return wrapped(f"This system cannot score new audio: {about['refuses_new_audio']}.")
    feature = about["feature"]
    needs = []
    if feature["config"]["ckpt"]:
        needs.append(
            f"Its encoder is the checkpoint with BLAKE2b {feature['ckpt_hash']}: `encoder.safetensors` if "
            "this folder holds it; otherwise name its file with `--ckpt`."
        )
    if about["of_speakers"]:
        needs.append(
            "It uses each speaker's own statistics: give the speakers with `--utt2spk` or `--one_speaker`. It reads "
            "all "
            "audio before it prints the first line."
        )
    text = wrapped(" ".join(needs))
    return "```sh\npython -m ser.bin.predict --model THIS_FOLDER recording.wav more_recordings/\n```" + (
        f"\n\n{text}" if text else ""
    )


def _data(about: Mapping[str, Any]) -> str:
    with_models = [split for split in about["splits"] if split["name"] in about["models"]]
    tested = sorted({corpus for split in with_models for corpus in split["tests"]})
    sees = "; ".join(SEES[word] for word in about["target_data"]) or "nothing"
    lines = [
        f"- labelled training data from: {', '.join(about['trained_on'])}; tested on: {', '.join(tested)}",
        f"- data seen of a tested corpus outside the training corpora: {sees}",
        f"- protocol: {about['protocol']}, {len(with_models)} split(s); speaker-independent unless a flag says "
        "otherwise",
        f"- method `{about['method']}`, settings in `conf.yaml`; feature: upstream {feature_text(about['feature'])}",
    ]
    for name, info in about["corpora"].items():
        lines.append(
            f"- `{name}`: {info['title']}, {info['release']} release, {info['n_utterances']} utterances, "
            f"{info['n_speakers']} speakers; license: {info['licence']}; {info['page']}"
        )
    lines += ["", "| class | " + " | ".join(about["labels"]) + " |", "| --- |" + " --- |" * len(about["labels"])]
    for name in about["classes"]:
        words = [", ".join(of_corpus.get(name, ["-"])) for of_corpus in about["labels"].values()]
        lines.append(f"| {name} | {' | '.join(words)} |")
    return "\n".join(lines)


def feature_text(feature: Mapping[str, Any]) -> str:
    """Describe a feature in a line."""
    config = feature["config"]
    configs = (config.get("parts") or {"": config}).values()
    return " and ".join(
        f"{of['upstream']}, {layer_text(of['layer'], of.get('layers'))}, pooling {of['pooling']}" for of in configs
    )


def _numbers(about: Mapping[str, Any], scored: Sequence[Scored | Line]) -> str:
    recalls = " | ".join(f"recall of {name}" for name in about["classes"])
    rule = "| --- |" + " ---: |" * (2 + len(about["classes"]))
    lines = [f"| condition | UAR | 95 % (speakers) | {recalls} |", rule]
    for entry in scored:
        bounds = span(entry.interval)
        shares = [100 * float(recall) for recall in entry.scores["recall"]]
        recalls = " | ".join("-" if math.isnan(share) else f"{share:.1f}" for share in shares)
        lines.append(f"| {entry.line.condition} | {percent(float(entry.scores['uar']))} | {bounds} | {recalls} |")
    means = wrapped(
        f"In percent, this seed only; pooled over {len(about['models'])} split(s), means over support sets. Chance "
        f"is {100 / len(about['classes']):.1f} UAR. Each model of the system was tested on speakers of its own "
        "split; "
        "`predict` gives the mean of all models by default, which no test has measured."
    )
    return "\n".join(lines) + "\n\n" + means


def _limits(about: Mapping[str, Any]) -> str:
    limits = [
        "Every utterance gets one of the classes above, even other emotions, music and noise.",
        "Its training speech is of few speakers and few languages, mostly acted and recorded in studios; on other "
        "voices, languages and microphones expect less than the numbers above, and unequally so.",
        "Not for decisions about people: it does not know what anybody feels.",
    ]
    if about["refuses_new_audio"] is None:
        if about["temperatures"]:
            shots = {k: f" at {k} shots" if k != "0" else "" for k in about["temperatures"]}
            told = ", ".join(f"{value:.3g}{shots[k]}" for k, value in about["temperatures"].items())
            what = about["calibration"]
            limits.append(
                f"Probabilities are calibrated by a temperature ({told}), fitted on {what['utterances']} "
                f"{what['kind']} of {', '.join(what['corpora'])}; on other corpora they are too confident."
            )
        else:
            limits.append("Probabilities are NOT calibrated: no utterances were left for it, or all were right.")
        held_out = ", ".join(f"{corpus}: {what}" for corpus, what in about["far"]["held_out"].items())
        limits.append(
            "`far_from_training_data` means: further from the mean of the nearest corpus seen than 99 % of its "
            f"held-out utterances ({held_out}); `too_short`: shorter than {about['seconds']['shortest']:.2f} s, the "
            "shortest utterance that it was trained on."
        )
    for name, scale in about["attributes"].items():
        limits.append(
            f"`{name}` is a linear guess from the latent space, on the ratings' scale ({scale['lowest']:g} to "
            f"{scale['highest']:g} in training)."
        )
    return "\n".join(wrapped(f"- {limit}").replace("\n", "\n  ") for limit in limits)
