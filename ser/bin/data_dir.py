"""Fix, subset and combine Kaldi-style data directories; `utils/*.sh` of Kaldi's names call this.

usage: python -m ser.bin.data_dir fix [--allow_pipes true] DATA_DIR
       python -m ser.bin.data_dir subset [--per-spk] [--first|--last|--shortest] [--seed N] SRC N DEST
       python -m ser.bin.data_dir subset --utt-list FILE | --spk-list FILE  SRC DEST
       python -m ser.bin.data_dir combine DEST SRC1 SRC2 ...
       python -m ser.bin.data_dir lhotse DATA_DIR DEST          recordings.jsonl.gz and supervisions.jsonl.gz
       python -m ser.bin.data_dir spk2utt [UTT2SPK]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ser.data.combine import combine_data
from ser.data.fix import fix_data_dir
from ser.data.lhotse import export_lhotse
from ser.data.maps import spk2utt_of
from ser.data.subset import ORDERS, choose, listed, subset_data_dir
from ser.errors import ConfigError, run_cli


def main(argv: Sequence[str]) -> None:
    args = _parser().parse_args(argv)
    args.run(args)


def _fix(args: argparse.Namespace) -> None:
    fixed = fix_data_dir(args.data_dir, args.allow_pipes == "true")
    for line in fixed.report:
        print(f"  {line}")
    if not fixed.report:
        print(f"{args.data_dir}: nothing to fix, {fixed.n_kept} utterances")
    else:
        total = fixed.n_kept + len(fixed.lost)
        where = f"former files in {args.data_dir / fixed.backup}"
        print(f"{args.data_dir}: kept {fixed.n_kept} of {total} utterances; {where}")


def _subset(args: argparse.Namespace) -> None:
    pipes = args.allow_pipes == "true"
    named = args.utt_list or args.spk_list
    if len(args.paths) != (2 if named else 3):
        raise ConfigError(f"subset: found {args.paths}, expected {'SRC DEST' if named else 'SRC N DEST'}")
    source, dest = Path(args.paths[0]), Path(args.paths[-1])
    if named:
        if args.per_spk or args.order != "random":
            raise ConfigError("subset: a list already selects the utterances; leave out --per-spk and the order")
        keep = listed(source, args.utt_list, args.spk_list)
        how = f"{'utterances' if args.utt_list else 'speakers'} listed in {named}"
    else:
        if not args.paths[1].isdecimal():
            raise ConfigError(f"subset: N is '{args.paths[1]}', expected a number of utterances above 0")
        n = int(args.paths[1])
        keep = choose(source, n, args.order, args.per_spk, args.seed, pipes)
        seed = f", seed {args.seed}" if args.order == "random" else ""
        how = f"{n} utterances{' per speaker' if args.per_spk else ''}, {args.order}{seed}"
    print(f"{dest}: {subset_data_dir(source, keep, dest, how, pipes)} utterances of {source} ({how})")


def _combine(args: argparse.Namespace) -> None:
    for note in combine_data(args.dest, args.sources, args.allow_pipes == "true"):
        print(f"  {note}")
    print(f"{args.dest}: combined {', '.join(map(str, args.sources))}")


def _lhotse(args: argparse.Namespace) -> None:
    print(f"{args.dest}: {export_lhotse(args.data_dir, args.dest)} utterances of {args.data_dir} for lhotse")


def _spk2utt(args: argparse.Namespace) -> None:
    entries = spk2utt_of(Path("/dev/stdin") if str(args.utt2spk) == "-" else args.utt2spk)
    sys.stdout.writelines(f"{speaker} {utts}\n" for speaker, utts in entries.items())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fix = commands.add_parser("fix", help="sort, intersect, rebuild spk2utt; former files in DATA_DIR/.backup")
    fix.add_argument("data_dir", type=Path)
    fix.set_defaults(run=_fix)

    subset = commands.add_parser("subset", help="some utterances of a data directory")
    subset.add_argument("--per-spk", "--per_spk", action="store_true", help="N of each speaker, or all if fewer")
    order = subset.add_mutually_exclusive_group()
    for name in ORDERS[1:]:
        order.add_argument(f"--{name}", dest="order", action="store_const", const=name, default="random")
    lists = subset.add_mutually_exclusive_group()
    lists.add_argument("--utt-list", "--utt_list", type=Path, help="ids of utterances, first word of each line")
    lists.add_argument("--spk-list", "--spk_list", type=Path, help="ids of speakers, first word of each line")
    subset.add_argument("--seed", type=int, default=1, help="seed of the random choice, used without an order")
    subset.add_argument("paths", nargs="+", metavar="SRC [N] DEST")
    subset.set_defaults(run=_subset)

    combine = commands.add_parser("combine", help="one data directory of several")
    combine.add_argument("dest", type=Path)
    combine.add_argument("sources", type=Path, nargs="+")
    combine.set_defaults(run=_combine)

    lhotse = commands.add_parser("lhotse", help="manifests for lhotse")
    lhotse.add_argument("data_dir", type=Path)
    lhotse.add_argument("dest", type=Path)
    lhotse.set_defaults(run=_lhotse)

    for command in (fix, subset, combine):
        command.add_argument("--allow-pipes", "--allow_pipes", choices=("true", "false"), default="false")

    spk2utt = commands.add_parser("spk2utt", help="the inverse of utt2spk, on stdout")
    spk2utt.add_argument("utt2spk", type=Path, nargs="?", default="-", help="a file (default: standard input)")
    spk2utt.set_defaults(run=_spk2utt)
    return parser


if __name__ == "__main__":
    run_cli(main)
