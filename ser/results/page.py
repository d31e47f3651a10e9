"""The subject of a recipe's page, gathered from the recipe's folders: settings, scores, and the head of the page.

Not here: how counts become tables (`ser.results.tables`), and what pages look like (`ser.results.render`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ser.config import find, load
from ser.errors import DataError
from ser.features.config import layer_text
from ser.recipe import provenance
from ser.recipe.code import code_hash
from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row, questions
from ser.results.published import Published, check_sizes, read_published
from ser.results.render import holds_scores
from ser.scoring.runs import read_scores
from ser.splits.labels import LabelMap
from ser.splits.protocols.base import Protocol
from ser.system.environment import Environment
from ser.system.files import fingerprint, read_json
from ser.types import Condition

BESIDE_THE_PAPER = ("support_only", "in_domain")
"""Rows in the figures of UAR against shots, in addition to the paper's and those that they start from."""

ONE_CLASS = "one_class_speakers"
"""Key of what stage 2 counted: corpus -> speakers who have only one class, and all speakers."""

TEST_SPEAKERS = "test_speakers.json"
"""In a recipe's exp/: UAR on tested speakers whose utterances were drawn anew, see `ser.results.balance`."""

PAGE_CODE = ("results", "splits/protocols", "recipe/provenance.py", "metrics")
"""Code that decides RESULTS.json."""

OPTIONS = ("mini", "db_root", "features", "set", "choice")
"""Of `run.sh`, that decide a page."""

DECIDED_BY_SPLITS = ("releases", "stamps", "corpus_stamps", ONE_CLASS)
"""Keys of what stage 2 recorded that a page prints."""


@dataclass(frozen=True)
class Page:
    """What a page is about, whether or not anything was run.

    Attributes:
        title: of the recipe.
        classes_of: table -> names in the order of their indices.
        published: what the paper printed.
        runs: name of a row -> `metrics.json` of its seeds, or nothing.
        missing: corpora without which nothing can be run.
        protocol: settings of the splits.
    """

    title: str
    classes_of: Mapping[Condition, Sequence[str]]
    published: Published | None
    runs: dict[str, list[dict]]
    missing: Sequence[str]
    protocol: Protocol

    def is_printed(self, row: Row) -> bool:
        """Check whether the paper printed values of a row's system with the row's settings."""
        return bool(row.published) and self.published is not None and self.published.has_settings(row.feature)

    @property
    def target(self) -> str:
        """The tested corpus of a recipe with shots, else ""."""
        return getattr(self.protocol, "target", "")


def read_page(recipe: Recipe) -> Page:
    """Gather what the page is about: from the splits, or without the corpora from the protocol's settings."""
    path, protocol = recipe.folder / "conf" / "recipe.yaml", recipe.settings.protocol
    missing: list[str] = []
    if not recipe.mini and not (recipe.splits / recipe.tasks[0] / "protocol.json").exists():
        missing = sorted(name for name in protocol.corpora if not (recipe.data / name).exists())
    runs = {row.name: [] if missing else _runs(recipe, row) for row in recipe.rows}
    names = {row.label: row.published for row in recipe.all_rows}
    published = read_published(path.with_name("published.yaml"), names)
    classes_of: dict[Condition, Sequence[str]] = {}
    for task in recipe.tasks:
        if missing:
            classes = load(find("labels", protocol.label_maps[task], path.parent), LabelMap).classes
        else:
            classes = recipe.splits_of(task).classes
        if protocol.is_matrix:
            conditions = [Condition(task)]
        elif task:
            tested = {
                Condition.parse(key, task)
                for row in recipe.rows
                if row.task == task
                for run in runs[row.name]
                for key in run["conditions"]
            }
            conditions = sorted(tested, key=lambda c: (c.rotation, c.corpus)) or _printed(published, task)
        else:
            conditions = [Condition(corpus=protocol.target, shots=shots) for shots in sorted(protocol.shots)]
            if missing:
                printed = {c.shots for c in published.conditions} if published else set()
                conditions = [condition for condition in conditions if condition.shots in printed]
        classes_of |= dict.fromkeys(conditions, classes)
    if published:
        sizes = {condition: len(classes) for condition, classes in classes_of.items()}
        check_sizes(path.with_name("published.yaml"), published, sizes)
    return Page(recipe.settings.title, classes_of, published, runs, missing, protocol)


def _printed(published: Published | None, task: str) -> list[Condition]:
    """List what a paper printed numbers of in one task."""
    found = published.conditions if published else []
    if published and task in published.tasks:
        found = [Condition(task, c.corpus, c.shots, c.rotation) if not c.task else c for c in found]
    return list(dict.fromkeys(c for c in found if c.task == task))


def _runs(recipe: Recipe, row: Row) -> list[dict]:
    """Read a row's scores, for all its seeds or for none."""
    paths = [recipe.run_dir(row, seed) / "metrics.json" for seed in row.seeds]
    if row.needs is not None or not all(path.exists() for path in paths):
        return []
    runs = [read_json(path) for path in paths]
    fresh = [run["made_from"] == recipe.score_inputs(row, seed) for run, seed in zip(runs, row.seeds, strict=True)]
    return [read_scores(path.parent) for path in paths] if all(fresh) else []


def made_from(recipe: Recipe, page: Page) -> str:
    """Give the fingerprint of everything that decides a page."""
    return fingerprint(
        {
            "scores": {name: [run["made_from"] for run in of_row] for name, of_row in page.runs.items()},
            "rows": [
                [row.name, row.label, row.feature, row.init, row.versus, row.published, hole(recipe, page, row)]
                for row in recipe.rows
            ],
            "published": page.published and page.published.model_dump(),
            "questions": questions(recipe.table),
            "code": code_hash(PAGE_CODE),
            "title": page.title,
            "corpora": page.missing
            or [recipe.splits_of(t).about.get(k) for t in recipe.tasks for k in DECIDED_BY_SPLITS],
            "protocol": page.protocol.model_dump(),
            "features": [list(recipe.features), recipe.strict],
            "test_speakers": read_json(drawn) if (drawn := recipe.exp / TEST_SPEAKERS).exists() else None,
            "options": _options(recipe),
        }
    )


def refuse_without_scores(recipe: Recipe, page: Page, out: Path) -> None:
    """Let a page without scores pass only to show what a paper printed, and never over one that has scores.

    Args:
        recipe, page: of what.
        out: RESULTS.md.

    Raises:
        DataError: naming the stages that are missing.
    """
    if any(page.runs.values()):
        return
    if not page.missing:
        raise DataError(f"{recipe.exp}: no row has scores; run stages 4 and 5")
    numbers = out.with_suffix(".json")
    has_scores = (numbers.exists() and read_json(numbers).get("environment")) or (
        out.exists() and holds_scores(out.read_text(encoding="utf-8"))
    )
    if page.published is None or has_scores:
        raise DataError(f"{recipe.exp}: no row has scores; run stages 1 to 5, which need {listed(page.missing)}")


def hole(recipe: Recipe, page: Page, row: Row) -> str:
    """Say why a row has no scores, if it has none."""
    if page.missing:
        return f"needs {listed(page.missing)}"
    return recipe.left_out(row) or "not every seed was trained and scored; see the logs of stages 4 and 5"


def listed(corpora: Sequence[str]) -> str:
    """Name corpora as conf/db.sh does."""
    *others, last = (name.upper() for name in corpora)
    return f"{', '.join(others)} and {last}" if others else last


def stamps_of(recipe: Recipe, page: Page) -> dict[str, list[str]]:
    """List the flags of each row, by its name."""
    from ser.results.lines import row_stamps

    counted = _one_class_speakers(recipe, page)
    return {row.name: row_stamps(row.adaptation, counted) for row in recipe.rows}


def _one_class_speakers(recipe: Recipe, page: Page) -> Mapping[str, Sequence[int]]:
    return {} if page.missing else recipe.splits_about.get(ONE_CLASS, {})


def is_drawn(recipe: Recipe, row: Row) -> bool:
    """Decide whether figures of UAR against shots show a row: the paper's, those they start from, references."""
    started_from = {other.init for other in recipe.rows if other.published and other.feature == row.feature}
    return bool(row.published) or row.name in started_from or row.label in BESIDE_THE_PAPER


def target_data(page: Page, row: Row, corpus: str) -> list[str]:
    """List the data that a row has seen of a tested corpus, words of `ser.types.TARGET_DATA`."""
    return provenance.target_data(row.method, row.config, page.protocol.sketch(row.task, corpus))


def sources_of(page: Page, row: Row, corpus: str) -> list[str]:
    """List the corpora whose labels a row is trained on when a corpus is tested."""
    return provenance.sources(row.method, row.config, page.protocol.sketch(row.task, corpus))


# ---- The head -------------------------------------------------------------------------------------------------


def head(recipe: Recipe, page: Page) -> dict[str, Any]:
    """Write down what the page is about, where it was computed, and what holds for all of it."""
    from ser.corpora import CORPORA

    papers = [row.about.paper for row in recipe.rows if row.about.paper is not None]
    kind = "replication" if page.published else "open twin" if papers else "baseline"
    if page.protocol.is_matrix:  # of many papers' methods, and of none of their tables
        papers, kind = [], "matrix"
    corpora: dict[str, dict[str, Any]] = {}
    for name in page.protocol.corpora:
        corpora[name] = {"title": CORPORA[name].title if name in CORPORA else name}
        if (path := recipe.data / name / "corpus.json").exists() and not page.missing:
            info = read_json(path)
            corpora[name] |= {key: info[key] for key in ("title", "release", "n_utterances", "n_speakers", "formats")}
        elif name in page.missing:
            corpora[name]["missing"] = name.upper()
    scored = [row for row in recipe.rows if page.runs[row.name]]
    return {
        "recipe": recipe.folder.name,
        "title": page.title,
        "paper": papers[0] if papers else None,
        "kind": kind,
        "mini": recipe.mini,
        "variant": _options(recipe, ("features", "set", "choice")) or None,
        "needs": listed(page.missing) if page.missing else None,
        "command": f"cd egs/{recipe.folder.name} && ./run.sh{_options(recipe)}",
        "corpora": corpora,
        "protocol": page.protocol.protocol,
        "questions": questions(recipe.table),
        "source": page.published and page.published.source,
        "note": page.published and page.published.note,
        "confusion_source": page.published and page.published.confusion_source,
        "stamps": _stamps(recipe, page, scored),
        "environment": asdict(_environment(recipe, scored)) if scored else None,
        "features": {row.feature: _feature(recipe, row) for row in scored},
    }


def _options(recipe: Recipe, named: Sequence[str] = OPTIONS) -> str:
    """Write the options that make the page again."""
    options = {
        "mini": " --mini true" if recipe.mini else "",
        "db_root": "" if recipe.mini else " --db_root DIR",
        "features": f' --features "{" ".join(recipe.features)}"' if recipe.strict else "",
        "set": "".join(f" --set {override}" for override in recipe.overrides),
        "choice": recipe.choice.options,
    }
    return "".join(options[name] for name in named)


def _stamps(recipe: Recipe, page: Page, scored: Sequence[Row]) -> list[str]:
    """List the flags of every table of the recipe."""
    if page.missing:
        return []
    releases = recipe.splits_about["releases"]
    stamps = list(dict.fromkeys(s for task in recipe.tasks for s in recipe.splits_of(task).about.get("stamps", [])))
    if partial := sorted(name for name, release in releases.items() if release == "subset"):
        stamps.append(f"PARTIAL CORPUS: {', '.join(partial)} (see corpus.json); not comparable")
    copies = recipe.splits_about.get("copies", {})
    stamps += [f"CONVERTED COPY: {name} ({'; '.join(sentences)})" for name, sentences in sorted(copies.items())]
    if "mini" in releases.values():
        stamps.append("MINIATURE CORPORA: synthetic audio; the numbers say nothing about real speech")
    if recipe.overrides:
        stamps.append(f"VARIANTS: {', '.join(recipe.overrides)}, in the systems named so; others are as committed")
    if recipe.choice.options:
        others = dict.fromkeys(row.label for row in recipe.all_rows if row.name not in page.runs)
        rest = f"not asked for: {', '.join(others)}" if others else "every system was asked for"
        stamps.append(f"IN PART: run with{recipe.choice.options}; {rest}")
    of_rows = stamps_of(recipe, page)
    if any(of_rows[row.name] for row in scored):
        from ser.results.lines import page_stamps

        stamps += page_stamps(_one_class_speakers(recipe, page))
    return stamps


def _environment(recipe: Recipe, trained: Sequence[Row]) -> Environment:
    """Describe where the rows were trained; several places are named together."""
    found = [read_json(recipe.run_dir(row, seed) / "env.json") for row in trained for seed in row.seeds]
    joined = {key: " and ".join(sorted({str(env[key]) for env in found})) for key in found[0] if key != "packages"}
    names = found[0]["packages"]
    packages = {name: " and ".join(sorted({env["packages"][name] for env in found})) for name in names}
    return Environment(**joined, packages=packages)


def _feature(recipe: Recipe, row: Row) -> str:
    """Describe what a row is trained on."""
    config = recipe.feature_config(row.feature)
    if row.finetunes:
        ckpt = config.identity()["ckpt_hash"]
        return f"encoder `{row.feature}`: upstream {config.upstream}{_checkpoint(ckpt)}, fine-tuned"
    return "; ".join(_vector(recipe, part) for part in row.parts)


def _vector(recipe: Recipe, feature: str) -> str:
    config = recipe.feature_config(feature)
    info = read_json(recipe.dump_dir(feature, recipe.corpora[0]) / "feats.json")
    ckpt = info["made_from"]["feature"]["ckpt_hash"]
    return (f"feature `{feature}`: upstream {config.upstream}{_checkpoint(ckpt)}, "
            f"{layer_text(config.layer, config.layers)}, "
            f"{config.pooling} pooling, {config.precision}, {info['dim']} dimensions")  # fmt: skip


def _checkpoint(ckpt_hash: str | None) -> str:
    return f", checkpoint BLAKE2b {ckpt_hash[:12]}" if ckpt_hash else ""
