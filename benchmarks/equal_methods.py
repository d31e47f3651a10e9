"""How often does a table call a method different from itself, trained anew?

usage: python benchmarks/equal_methods.py EXP_ROW [--size 3]

EXP_ROW is exp/ROW of a scored recipe, with `seed1` to `seedN`; N is at least twice the size. Every two sets of `size`
seeds that share none are held against each other as two systems of that many seeds would be, uncorrected at 5 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np

from ser.metrics.uncertainty import difference, sample_of
from ser.scoring.runs import read_scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", type=Path, metavar="EXP_ROW")
    parser.add_argument("--size", type=int, default=3)
    args = parser.parse_args()
    folders = sorted(args.row.glob("seed*"), key=lambda folder: int(folder.name.removeprefix("seed")))
    if len(folders) < 2 * args.size:
        raise SystemExit(f"{args.row}: found {len(folders)} seeds, at least {2 * args.size} are needed")
    of_seeds = [read_scores(folder)["conditions"] for folder in folders]
    print("| condition | seeds | sets | UAR of seeds, range | called different |\n|---|---:|---:|---:|---:|")
    for condition in of_seeds[0]:
        counts = np.array([conditions[condition]["counts"] for conditions in of_seeds])  # (N, D, S, C, C)
        uars = [100 * conditions[condition]["uar"] for conditions in of_seeds]
        found = [is_different(counts[list(a)], counts[list(b)]) for a, b in disjoint(len(counts), args.size)]
        print(
            f"| {condition} | {len(counts)} | {len(found)} | {min(uars):.1f} to {max(uars):.1f} | "
            f"{100 * np.mean(found):.1f} % |"
        )


def disjoint(n: int, size: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """List every two sets of `size` of n numbers that share none, once."""
    for a in combinations(range(n), size):
        others = [i for i in range(n) if i not in a and i > a[0]]
        yield from ((a, b) for b in combinations(others, size))


def is_different(a: np.ndarray, b: np.ndarray) -> bool:
    """Test two methods by their counts, (K, D, S, C, C), seeds 1 to K of each."""
    return difference(sample_of(a, is_random=True), sample_of(b, is_random=True)).p < 0.05


if __name__ == "__main__":
    main()
