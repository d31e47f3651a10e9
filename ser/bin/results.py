"""Write a recipe's table and figures from its scores, and print the table.

usage: python -m ser.bin.results RECIPE_OPTIONS --title TITLE --out RESULTS.md
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.build import Recipe, Row, code_hash
from ser.environment import Environment
from ser.errors import DataError, run_cli
from ser.files import fingerprint, read_json, write_text

SEED = 1
"""Of bootstrap and permutations."""


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--title", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    runs = {row.name: _runs(recipe, row) for row in recipe.rows}
    made_from = fingerprint(
        {
            "scores": {name: [run["made_from"] for run in of_row] for name, of_row in runs.items()},
            "rows": [[row.name, row.label, row.feature, row.versus, row.needs] for row in recipe.rows],
            "code": code_hash(("results.py", "figures.py", "bin/results.py", "metrics")),
            "title": args.title,
            "releases": recipe.splits_about["releases"],
            "overrides": list(recipe.overrides),
        }
    )
    printed = recipe.exp / "results.txt"
    if args.out.exists() and made_from in args.out.read_text(encoding="utf-8") and printed.exists():
        print(f"results: up to date in {args.out}")
        return
    if not any(runs.values()):
        raise DataError(f"{recipe.exp}: no row has scores; run stages 4 and 5")
    write_text(printed, _write(recipe, runs, made_from, args.title, args.out))
    print(printed.read_text(encoding="utf-8"), end="")
    print(f"wrote {args.out} and {recipe.exp / 'figures'}")


def _runs(recipe: Recipe, row: Row) -> list[dict]:
    """Read a row's scores, for all its seeds or for none."""
    paths = [recipe.run_dir(row, seed) / "metrics.json" for seed in row.seeds]
    if row.needs is not None or not all(path.exists() for path in paths):
        return []
    runs = [read_json(path) for path in paths]
    fresh = [run["made_from"] == recipe.score_inputs(row, seed) for run, seed in zip(runs, row.seeds, strict=True)]
    return runs if all(fresh) else []


def _write(recipe: Recipe, runs: dict[str, list[dict]], made_from: str, title: str, out: Path) -> str:
    """Write RESULTS.md and the figures; return the text for the terminal."""
    from ser import figures, results

    lines, holes = [], []
    for row in recipe.rows:
        if runs[row.name]:
            lines += results.line_of(row.label, row.feature, row.versus, runs[row.name])
        else:
            hole = row.needs or "not every seed was trained and scored; see the logs of stages 4 and 5"
            holes.append(results.Line(row.label, row.feature, 0, hole=hole))
    order = list(dict.fromkeys(row.feature for row in recipe.rows))
    classes = recipe.splits_about["labels"]["classes"]
    first_split = recipe.splits_for_training()[0]
    majority = Counter(sorted(first_split.train.values())).most_common(1)[0][0]
    references = results.reference_lines(lines[0], classes, majority)
    tables, text = {}, []
    for shots in sorted({line.shots for line in lines} - {0}):
        of_table = sorted(
            (line for line in lines if line.shots in (0, shots)), key=lambda line: order.index(line.feature)
        )
        heading = f"{shots} shots"
        tables[heading] = results.score_lines([*references, *of_table, *holes], SEED)
        text += [f"{title}: {heading}", results.text_table(tables[heading], classes), ""]
        for entry in tables[heading]:
            if isinstance(entry, results.Scored) and entry.line.cells:
                name = f"{entry.line.label}-{entry.line.feature}-{shots}"
                figures.confusion_figure(
                    recipe.exp / "figures" / f"{name}.png",
                    results.confusion_shares(entry.line),
                    classes,
                    f"{entry.line.label}, {entry.line.feature}, {heading}\n"
                    f"UAR {100 * float(entry.scores['uar']):.1f} %",
                )
    page = results.markdown(
        title=title,
        made_from=made_from,
        stamps=_stamps(recipe),
        environment=_environment(recipe, runs),
        features=[_feature(recipe, name) for name in sorted({r.feature for r in recipe.rows if not r.needs})],
        corpora=[_corpus(recipe, name) for name in recipe.corpora],
        tables=tables,
        classes=classes,
    )
    write_text(out, page)
    stamps = "".join(f"{stamp}\n" for stamp in _stamps(recipe))
    return stamps + "\n".join(text)


def _environment(recipe: Recipe, runs: dict[str, list[dict]]) -> Environment:
    """Describe where the rows were trained; several places are named together."""
    trained = [row for row in recipe.rows if runs[row.name]]
    found = [read_json(recipe.run_dir(row, seed) / "env.json") for row in trained for seed in row.seeds]
    joined = {key: " and ".join(sorted({str(env[key]) for env in found})) for key in found[0] if key != "packages"}
    names = found[0]["packages"]
    packages = {name: " and ".join(sorted({env["packages"][name] for env in found})) for name in names}
    return Environment(**joined, packages=packages)


def _stamps(recipe: Recipe) -> list[str]:
    releases = recipe.splits_about["releases"]
    stamps = []
    if partial := sorted(name for name, release in releases.items() if release == "subset"):
        stamps.append(f"PARTIAL CORPUS: {', '.join(partial)} (see corpus.json); not comparable")
    if "mini" in releases.values():
        stamps.append("MINIATURE CORPORA: synthetic audio; the numbers say nothing about real speech")
    if recipe.overrides:
        stamps.append(f"OVERRIDDEN: {', '.join(recipe.overrides)}, in rows that do not set these themselves")
    return stamps


def _feature(recipe: Recipe, name: str) -> str:
    config = recipe.feature_config(name)
    info = read_json(recipe.dump_dir(name, recipe.corpora[0]) / "feats.json")
    ckpt = info["made_from"]["feature"]["ckpt_hash"]
    source = f", checkpoint BLAKE2b {ckpt[:12]}" if ckpt else ""
    return (f"feature `{name}`: upstream {config.upstream}{source}, layer {config.layer}, {config.pooling} pooling, "
            f"{config.precision}, {info['dim']} dimensions")  # fmt: skip


def _corpus(recipe: Recipe, name: str) -> str:
    info = read_json(recipe.data / name / "corpus.json")
    return (f"corpus `{name}`: {info['title']}, {info['release']} release, {info['n_utterances']} utterances, "
            f"{info['n_speakers']} speakers, {', '.join(info['formats'])}")  # fmt: skip


if __name__ == "__main__":
    run_cli(main)
