"""Hold two scored runs against each other: UAR, recalls, a paired test, and the utterances that changed.

usage: python -m ser.bin.compare EXP_A EXP_B [--changed FILE.tsv] [--common true]

EXP is exp/<row>/seed<k>, or exp/<row> for all its seeds together; of one recipe or of two whose test utterances and
classes are the same. The test swaps the two runs' results speaker by speaker. --changed writes every utterance that
the two predict otherwise; --common true compares what both have where their test lists differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.errors import run_cli
from ser.results.measures import p_value
from ser.system.files import holding, replacing

FIRST = 5
"""Changed utterances of each kind that are printed."""


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("a", type=Path, metavar="EXP_A")
    parser.add_argument("b", type=Path, metavar="EXP_B")
    parser.add_argument("--changed", type=Path, metavar="FILE.tsv", help="where to write the changed utterances")
    parser.add_argument("--common", choices=("true", "false"), default="false",
                        help="compare the utterances that both have")  # fmt: skip
    args = parser.parse_args(argv)
    from ser.metrics.statistics import holm
    from ser.scoring import compare

    a, b = compare.read_run(args.a), compare.read_run(args.b)
    pairs = compare.conditions_of(a, b, args.common == "true")
    results = {
        name: compare.paired(*(compare.counts_of(table, a.classes) for table in both), name)
        for name, both in pairs.items()
    }
    corrected = dict(zip(results, holm([result.p for result in results.values()]), strict=True))
    changes = {name: compare.changed(*both) for name, both in pairs.items()}
    print(f"A  {a.name}\nB  {b.name}")
    for name, (table, _) in pairs.items():
        speakers = {compare.speaker_of_id(utt) for utt in table["utt_id"]}
        print(f"\n{name}: {table['utt_id'].nunique()} utterances, {len(speakers)} speakers")
        print(_scores(results[name], a.classes, corrected[name], len(results)))
        print(_told(changes[name]))
    if args.changed is not None:
        _write(args.changed, changes)
        print(f"\nwrote {args.changed}")


def _scores(result, classes: Sequence[str], p: float, n_tests: int) -> str:
    rows = [["", "UAR", "95 %", *classes]]
    for run, scores, interval in (("A", result.a, result.a_interval), ("B", result.b, result.b_interval)):
        recalls = ["" if recall != recall else f"{100 * recall:.1f}" for recall in scores["recall"]]
        bounds = f"{100 * interval.low:.1f}-{100 * interval.high:.1f}"
        rows.append([run, f"{100 * scores['uar']:.1f}", bounds, *recalls])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    low, high = (100 * bound for bound in result.interval)
    how = f", Holm-corrected over {n_tests} tests" if n_tests > 1 else ""
    return "\n".join(
        [*lines, f"B - A  {100 * result.difference:+.1f} [{low:+.1f}, {high:+.1f}], p {p_value(p)}{how}"]
    )


def _told(table) -> str:
    from ser.scoring.compare import CHANGES

    lines = []
    for change in CHANGES:
        of_kind = table[table["change"] == change]
        lines.append(f"{change}: {len(of_kind)}")
        lines += [f"  {row.utt_id}  {row.true}: {row.a} -> {row.b}" for row in of_kind.head(FIRST).itertuples()]
        if len(of_kind) > FIRST:
            lines[-1] += "  ..."
    return "\n".join(lines)


def _write(path: Path, changes: dict) -> None:
    import pandas as pd

    table = pd.concat([table.assign(condition=name) for name, table in changes.items()])
    with replacing(path, holding("condition\tutt_id\ttrue\t")) as part:
        table.to_csv(part, sep="\t", index=False, float_format="%.4g", lineterminator="\n",
                     columns=["condition", *table.columns.drop("condition")])  # fmt: skip


if __name__ == "__main__":
    run_cli(main)
