"""Hold two scored runs against each other: UAR, recalls, a test, and the utterances that changed.

usage: python -m ser.bin.compare EXP_A EXP_B [--changed FILE.tsv] [--common true]

EXP is exp/<row>/seed<k>, or exp/<row> for all its seeds together; of one recipe or of two whose test utterances and
classes are the same. Speakers, seeds and support sets are random factors of intervals and p; with one seed of a
method that is random there is no p. --changed writes every utterance that the two predict otherwise; --common true
compares what both have where their test lists differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.errors import run_cli
from ser.results.measures import p_value, signed, span
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
    from ser.metrics.uncertainty import corrected
    from ser.scoring import compare

    a, b = compare.read_run(args.a), compare.read_run(args.b)
    pairs = compare.conditions_of(a, b, args.common == "true")
    results = {
        name: compare.paired(
            *(compare.counts_of(table, a.classes, run.is_random) for run, table in zip((a, b), both, strict=True))
        )
        for name, both in pairs.items()
    }
    found = dict(zip(results, corrected([result.found for result in results.values()]), strict=True))
    changes = {name: compare.changed(*both) for name, both in pairs.items()}
    print(f"A  {a.name}\nB  {b.name}")
    for name, (table, _) in pairs.items():
        speakers = {compare.speaker_of_id(utt) for utt in table["utt_id"]}
        print(f"\n{name}: {table['utt_id'].nunique()} utterances, {len(speakers)} speakers")
        print(_scores(results[name], a.classes, found[name], len(results)))
        print(_told(changes[name]))
    if args.changed is not None:
        _write(args.changed, changes)
        print(f"\nwrote {args.changed}")


def _scores(result, classes: Sequence[str], found, n_tests: int) -> str:
    rows = [["", "UAR", "95 %", *classes]]
    for run, scores, bounds in (("A", result.a, result.a_estimate), ("B", result.b, result.b_estimate)):
        recalls = ["" if recall != recall else f"{100 * recall:.1f}" for recall in scores["recall"]]
        rows.append([run, f"{100 * scores['uar']:.1f}", span(bounds.interval), *recalls])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    text = f"B - A  {signed(100 * found.value)}"
    if found.interval is not None:
        text += f" [{', '.join(signed(100 * bound) for bound in found.interval)}]"
    if found.p is not None:
        text += f", p {p_value(found.p)}"
    if found.seeds:
        text += f", seeds {', '.join(map(str, found.seeds))}"
    if n_tests > 1:
        text += f", corrected for {n_tests} tests"
    notes = ["one training: nothing is said about others"] if found.one_training else []
    return "\n".join([*lines, text, *notes])


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
