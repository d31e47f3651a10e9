"""Predict the emotion of any audio with a trained row: one JSON line for each file, as soon as it is known.

usage: python -m ser.bin.predict --model EXP_DIR AUDIO [AUDIO ...]

examples:
  python -m ser.bin.predict --model egs/ravdess2emodb/exp/emofsl-byol_s/seed1 recording.wav
  python -m ser.bin.predict --model my_model recordings/ > lines.jsonl      a folder with all below it
  python -m ser.bin.predict --model my_model data/emodb                     a data directory, by its ids and segments
  python -m ser.bin.predict --model my_model --wav_scp wav.scp
  python -m ser.bin.predict --model my_model --window 4 --hop 2 interview.mp3
  python -m ser.bin.predict --model EXP_DIR --split fold1 --shots 5 --draw 1 --corpus emodb --scores data/emodb

AUDIO is what libsndfile reads, under any name, at any rate; of several channels the live ones are averaged.
A line holds:
  utt, path       its id in a data directory or wav.scp, else the path
  start, end      seconds; audio longer than all that the recipe has seen is cut into overlapping windows
  label           the likeliest class; null below the probability of --abstain
  probabilities   of each class, the mean over the row's models (of the most shots), each calibrated
  calibrated_on   the corpora whose dev or left-out support utterances calibrated it; none where there are none, or
                  all of them are right
  arousal, valence    where the model has them: probability of high or positive, or a rating on the corpora's scale
  distance        from the nearest corpus that was trained on or adapted to, 1 where it counts as far
  warnings        too_short, silent, clipped, beyond_full_scale, channels_differ, far_from_training_data
  error           instead of all but utt and path, for a file that cannot be used
Rows with statistics of speakers (normalization: speaker) need --utt2spk FILE, a data directory or --one_speaker,
and read all audio before they print the first line: at least two utterances of each.

exit code: 0; 1 if a file had an error; 2 if it could not begin.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser.data.data_dir import AudioPart
from ser.data.maps import read_map
from ser.errors import ConfigError, run_cli
from ser.system.devices import device_of

if TYPE_CHECKING:
    from ser.inference.model import Model


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="exp/ROW/seedN, or an exported folder"
    )
    parser.add_argument("audio", type=Path, nargs="*", metavar="AUDIO", help="files, folders, data directories")
    parser.add_argument("--wav_scp", type=Path, metavar="FILE", help="lines of an id and a path")
    parser.add_argument("--utt2spk", type=Path, metavar="FILE", help="lines of an id (or path) and a speaker")
    parser.add_argument("--one_speaker", action="store_true", help="all audio is of one person")
    parser.add_argument("--corpus", metavar="NAME", help="treat the audio as this corpus of the recipe")
    parser.add_argument("--split", metavar="NAME", help="the model of one split (default: the mean of all)")
    parser.add_argument("--shots", type=int, metavar="K", help="models of so many shots (default: the largest)")
    parser.add_argument(
        "--draw", type=int, metavar="N", help="the model of one support set (default: the mean of all)"
    )
    parser.add_argument("--window", type=float, metavar="S", help="cut longer audio into windows of S seconds")
    parser.add_argument("--hop", type=float, metavar="S", help="seconds between windows (default: half a window)")
    parser.add_argument(
        "--abstain", type=float, default=0.0, metavar="P", help="no label below this probability, in [0, 1]"
    )
    parser.add_argument("--scores", action="store_true", help="also print the raw scores")
    parser.add_argument(
        "--top", type=int, metavar="N", help="print only the N largest probabilities, the largest first"
    )
    parser.add_argument(
        "--together",
        action="store_true",
        help="read all audio first and score it at once, with the last digits of stage 5",
    )
    parser.add_argument("--ckpt", type=Path, metavar="FILE", help="checkpoint of the encoder, if it is not in DIR")
    parser.add_argument("--nj", type=int, default=1, metavar="N", help="processes that compute features (default: 1)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
    args = parser.parse_args(argv)
    if args.top is not None and args.top < 1:
        raise ConfigError(f"--top {args.top}: a number of at least 1 is needed")
    if args.nj < 1 or not (args.audio or args.wav_scp):
        raise ConfigError("predict needs AUDIO or --wav_scp FILE, and --nj of at least 1; see --help")
    if not 0 <= args.abstain <= 1:
        raise ConfigError(f"--abstain {args.abstain:g}: a probability from 0 to 1 is needed")
    try:
        n_errors = predict(args)
    except BrokenPipeError:  # who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be flushed at the end
        n_errors = 0
    if n_errors:
        sys.exit(1)


def predict(args: argparse.Namespace) -> int:
    """Print a line for each file or window, and on stderr what came of it; give the number of errors."""
    import torch

    from ser.inference.model import Model
    from ser.inference.predict import Predictor, named_audio, windows_of

    torch.set_num_threads(1)  # digits do not depend on the number of cores
    model = Model.open(args.model, args.ckpt)
    corpus = model.corpus(args.corpus)
    device = device_of(args.device)
    chosen = model.chosen(corpus, args.split, args.shots, args.draw)
    predictor = Predictor(model, chosen, corpus, device, args.scores, args.together, args.abstain)
    audio = list(named_audio(args.audio, args.wav_scp))
    for difference in model.different_front_end():
        print(f"warning: features may differ: trained with {difference}", file=sys.stderr)
    counts: Counter[str] = Counter()
    windows = windows_of(model.about["seconds"], args.window, args.hop)
    for line in predictor.lines(audio, windows, _speakers(args, model, audio), args.nj):
        if args.top and "probabilities" in line:
            largest = sorted(line["probabilities"].items(), key=lambda pair: -pair[1])
            line["probabilities"] = dict(largest[: args.top])
        print(json.dumps(line), flush=True)
        if "error" in line:
            counts["error"] += 1
        else:
            label = "abstained" if line["label"] is None else line["label"]
            counts.update([f"label {label}", *(f"warning {word}" for word in line["warnings"]), "predicted"])
    _summarize(counts, len(audio))
    return counts["error"]


def _speakers(
    args: argparse.Namespace, model: Model, audio: Sequence[tuple[str, AudioPart]]
) -> dict[str, str] | None:
    """Tell who speaks, where the model needs to know; None if it is one person.

    Raises:
        ConfigError: for audio of nobody known.
    """
    if not model.of_speakers or args.one_speaker:
        return None
    files = (
        [args.utt2spk] if args.utt2spk else [path / "utt2spk" for path in args.audio if (path / "utt2spk").is_file()]
    )
    speaker_of = {utt: speaker for file in files for utt, speaker in read_map(file).items()}
    if missing := [utt for utt, _ in audio if utt not in speaker_of]:
        raise ConfigError(
            f"--model {args.model}: it uses each speaker's own statistics, and the speaker of '{missing[0]}' is not "
            "known; give --utt2spk FILE, or --one_speaker if all audio is of one person"
        )
    return speaker_of


def _summarize(counts: Counter[str], n_files: int) -> None:
    labels = {name.removeprefix("label "): n for name, n in counts.items() if name.startswith("label ")}
    told = ", ".join(f"{n} {name}" for name, n in sorted(labels.items(), key=lambda pair: -pair[1]))
    print(f"{n_files} files: {counts['predicted']} lines predicted ({told or 'none'}), {counts['error']} errors",
          file=sys.stderr)  # fmt: skip
    warned = {name.removeprefix("warning "): n for name, n in sorted(counts.items()) if name.startswith("warning ")}
    if warned:
        said = ", ".join(f"{n} {word}" for word, n in warned.items())
        print(f"  warnings: {said} (of {counts['predicted']} lines)", file=sys.stderr)
    if len(labels) == 1 and counts["predicted"] > 9:
        print(f"warning: all {counts['predicted']} are predicted {next(iter(labels))}: does the audio fit the model?",
              file=sys.stderr)  # fmt: skip


if __name__ == "__main__":
    run_cli(main)
