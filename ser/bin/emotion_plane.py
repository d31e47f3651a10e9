"""Draw emotions in the valence-arousal plane, from the ratings that a corpus has (Yue et al. 2023, Fig. 1).

usage: python -m ser.bin.emotion_plane data/CORPUS [--labels four_class] [--out FIGURE.png]

Stage 1 writes the ratings where there are any: of IEMOCAP and MSP-IMPROV their own, of EMO-DB, CaFE, URDU and AESDD
those of Das et al. 2022 (DAS2022 in conf/db.sh). Printed are means, distances, and by which factor valence has to be
compressed so that angry-sad and happy-sad are farthest apart, as Eq. 2 of Yue et al. takes them to be.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.config import find, load
from ser.data.data_dir import read_data_dir
from ser.errors import DataError, run_cli
from ser.splits.labels import LabelMap


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="a data directory of stage 1")
    parser.add_argument("--labels", default="four_class", help="a file of conf/labels")
    parser.add_argument("--out", type=Path, help="default: emotions-CORPUS.png next to the data directory")
    args = parser.parse_args(argv)
    from ser.losses.emotion_distance import PURE_NEGATIVE
    from ser.results import emotion_plane

    corpus = args.data.name
    utterances = read_data_dir(args.data)
    labels = load(find("labels", args.labels, Path()), LabelMap)
    class_of = labels.apply(corpus, utterances, "own")
    try:
        places = emotion_plane.places(utterances, class_of)
    except DataError as error:
        raise DataError(f"{args.data}: {error}; for EMO-DB, CaFE, URDU and AESDD set DAS2022 in conf/db.sh, and run "
                        "stage 1") from None  # fmt: skip
    for name, place in places.items():
        print(f"{name:<10} valence {place.valence:.2f} (sd {place.valence_sd:.2f}), arousal {place.arousal:.2f} "
              f"(sd {place.arousal_sd:.2f}), {place.n} utterances")  # fmt: skip
    apart = ", ".join(f"{a}-{b} {far:.2f}" for (a, b), far in emotion_plane.distances(places).items())
    print(f"distances: {apart}")
    if {name for pair in PURE_NEGATIVE for name in pair} <= places.keys():
        found = emotion_plane.weights_for(places, PURE_NEGATIVE)
        told = " or ".join(f"{low:.2f} to {high:.2f}" for low, high in found) or "no factor"
        print(f"angry-sad and happy-sad are the farthest apart with valence times {told}")
    out = args.out or args.data.parent / f"emotions-{corpus}.png"
    emotion_plane.draw(out, places, f"{corpus}: mean ratings, bars are standard deviations of utterances")
    print(f"wrote {out}")


if __name__ == "__main__":
    run_cli(main)
