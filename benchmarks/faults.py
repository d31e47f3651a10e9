"""Every fault in every stage of recipes on miniature corpora: is the result that of an undisturbed run?

usage: python -m benchmarks.faults [RECIPE ...]      from the root of the repository; as root for the real full disk

A recipe is cut down to two rows. Each stage is hit in the middle and before the last of the files that it writes or
renames (`tests/faults`), and run again; its files must then be, byte for byte, those of the undisturbed stage, with
nothing lost and nothing left over. What is told must be told in a sentence by each process, and no traceback.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ser.recipe.settings import read_settings
from tests.faults import FAULTS, STAGES, content, errors, fault, run

ROOT = Path(__file__).parents[1]
RECIPES = ("ravdess2emodb", "ravdess2emodb_urdu", "emodb2urdu", "ravdess_emodb")
"""One per paper, of open corpora."""

COLUMNS = {
    "kill": "SIGKILL to all",
    "term": "SIGTERM to all",
    "killed": "SIGKILL to one process",
    "full": "write error ENOSPC",
    "tmpfs": "disk really full",
    "two": "two at once",
    "changed": "input changed",
}

TESTS = (
    "test_faults, test_take_lock",
    "test_faults, test_make, test_lists",
    "test_faults, test_extract",
    "test_faults, test_\\*_recipes, test_submit",
    "test_faults, test_\\*_recipes, test_lists",
    "test_faults, test_take_lock",
)
"""Modules below `tests/` that hit a stage."""


class Unlike(Exception):
    """The fault had another outcome than it may have."""


class Cut:
    """A recipe with two rows, and its files before and after each stage of an undisturbed run."""

    def __init__(self, name: str, folder: Path):
        self.name, self.folder, self.root = name, folder, folder / "checkout"
        self.root.mkdir()
        ignored = shutil.ignore_patterns("__pycache__", "exp", "exp_mini")
        for part in ("run.sh", "utils", "conf", "egs", "ser"):
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, self.root / part, ignore=ignored)
            else:
                shutil.copy2(source, self.root / part)
        conf = self.root / "egs" / name / "conf"
        first = (conf / "runs.tsv").read_text().splitlines()[0].split("\t")
        table = conf / first[1] if first[0] == "base" else conf / "runs.tsv"
        head, *rows = table.read_text().splitlines()[:3]
        place = head.split("\t").index("versus")
        rows = ["\t".join(["-" if i == place else cell for i, cell in enumerate(r.split("\t"))]) for r in rows]
        (conf / "runs.tsv").write_text("\n".join([head, *rows]) + "\n")
        self.made = [self.root / "data_mini", self.root / "dump_mini", self.root / "egs" / name / "exp_mini"]
        corpora = read_settings(conf / "recipe.yaml", mini=True).protocol.corpora
        env = {**os.environ, "PYTHONPATH": str(self.root)}
        make = [sys.executable, "-m", "ser.bin.make_mini_corpora", str(self.made[0] / "corpora"), *corpora]
        subprocess.run(make, env=env, check=True, stdout=subprocess.DEVNULL)
        self.n_writes = []
        for stage in range(1, 7):
            self.keep(stage)
            log = folder / "log"
            log.unlink(missing_ok=True)
            done = self.run(stage, fault(self.root, stage, "none", 0, log))
            assert done.returncode == 0, done.stdout + done.stderr
            self.n_writes.append(len(log.read_text().splitlines()))
        self.keep(7)

    def run(self, stage: int, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return run(self.command(stage), env)

    def command(self, stage: int) -> list[str]:
        script = str(self.root / "egs" / self.name / "run.sh")
        return [script, "--mini", "true", "--stage", str(stage), "--stop_stage", str(stage), "--nj", "2"]

    def keep(self, stage: int) -> None:
        self._copy([(path, self.folder / str(stage) / path.name) for path in self.made])

    def restore(self, stage: int, copy: Callable[..., object] = os.link) -> None:
        for path in self.made:
            shutil.rmtree(path, ignore_errors=True)
        self._copy([(self.folder / str(stage) / path.name, path) for path in self.made], copy)

    @staticmethod
    def _copy(pairs: list[tuple[Path, Path]], copy: Callable[..., object] = os.link) -> None:
        """Copy folders; by links, as all files but logs are replaced and never written into."""
        for source, target in pairs:
            if source.exists():
                shutil.copytree(source, target, copy_function=copy)

    def check(self, stage: int) -> None:
        """Run a stage again after it was hit, and compare what it leaves with the undisturbed one."""
        again = self.run(stage)
        if again.returncode != 0:
            raise Unlike(f"again: code {again.returncode}, {errors(again)}")
        self.compare(stage)

    def compare(self, stage: int) -> None:
        kept = [self.folder / str(stage + 1) / path.name for path in self.made]
        found, expected = (content(*(p for p in paths if p.exists())) for paths in (self.made, kept))
        for what, names in (("lost", expected.keys() - found.keys()), ("left over", found.keys() - expected.keys())):
            if names:
                raise Unlike(f"{what}: {min(names)}")
        for name, value in expected.items():
            if found[name] != value:
                raise Unlike(f"differs: {name}")


def hit(cut: Cut, stage: int, what: str) -> str:
    """Hit a stage in the middle and at its last write; run it again."""
    total = cut.n_writes[stage - 1]
    for n in sorted({(total + 1) // 2, total}):
        cut.restore(stage)
        log = cut.folder / "log"
        log.unlink(missing_ok=True)
        result = cut.run(stage, fault(cut.root, stage, what, n, log))
        if result.returncode == 0:
            raise Unlike(f"at {n} of {total} not hit")
        _sentence(result, what, "No space left on device")
        cut.check(stage)
    return "one sentence, then equal" if what == "full" else "equal"


def _sentence(result: subprocess.CompletedProcess[str], what: str, *fragments: str) -> None:
    said = errors(result)
    if what in ("full", "tmpfs", "changed") and not (
        said and all(f in sentence for f in fragments for sentence in said)
    ):
        raise Unlike(f"said {said}: {result.stderr[-300:]}")


@contextmanager
def small_disk(folder: Path, n_bytes: int) -> Iterator[None]:
    """Lay a disk of this size over a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def on_pages(folder: Path) -> int:
    """How many bytes a folder needs on such a disk."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


def really_full(cut: Cut, stage: int, what: str) -> str:
    """Run a stage on a disk that has half of the space that it needs, then on one that has enough."""
    if os.geteuid() != 0:
        return "not root"
    place = {1: 0, 3: 1}.get(stage, 2)
    before, after = (cut.folder / str(number) / cut.made[place].name for number in (stage, stage + 1))
    has = on_pages(before) if before.exists() else 0
    size = max((has + on_pages(after)) // 2, 8192)
    for path in cut.made:
        shutil.rmtree(path, ignore_errors=True)
    with small_disk(cut.made[place], size):
        for path in cut.made:
            if (kept := cut.folder / str(stage) / path.name).exists():
                shutil.copytree(kept, path, copy_function=shutil.copy2, dirs_exist_ok=True)
        result = cut.run(stage)
        if result.returncode == 0:
            raise Unlike("there was space enough")
        _sentence(result, what, "No space left on device")
        subprocess.run(["mount", "-o", "remount,size=2G", str(cut.made[place])], check=True)
        cut.check(stage)
    cut.made[place].rmdir()
    return "one sentence, then equal"


def two_at_once(cut: Cut, stage: int, what: str) -> str:
    """Start a stage twice in the same moment."""
    cut.restore(stage)
    env = {k: v for k, v in os.environ.items() if k not in ("BYOL_S", "OMP_NUM_THREADS")}
    both = [
        subprocess.Popen(cut.command(stage), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in both]
    codes = sorted(process.returncode for process in both)
    if codes != [0, 2] or sum("another run works here" in text for text in said) != 1:
        raise Unlike(f"codes {codes}: {said}")
    cut.compare(stage)
    return "one refused, equal"


def input_changed(cut: Cut, stage: int, what: str) -> str:
    """Change what a stage reads after an earlier one has made it."""
    data, dump, exp = cut.made
    patterns = {
        2: [("label", data, "*/utt2emo")],
        3: [("audio", data, "corpora/EMO-DB/**/*.wav")],
        4: [("speaker", data, "*/utt2spk"), ("list", exp, "splits/**/train.lst"), ("archive", dump, "**/*.ark")],
        5: [("test list", exp, "splits/**/test.ref"), ("archive", dump, "**/*.ark")],
        6: [("scores", exp, "**/metrics.json")],
    }
    for name, folder, pattern in patterns.get(stage, []):
        cut.restore(stage, shutil.copy2)
        path = min(folder.glob(pattern))
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * 9 // 10])
        result = cut.run(stage)
        if result.returncode == 0:
            raise Unlike(f"{name} not noticed")
        if name == "audio":  # each file is told with its utterance
            _sentence(result, "", path.name)
        else:
            _sentence(result, what, str(path))
        path.write_bytes(whole)
        cut.check(stage)
    names = ", ".join(name for name, *_ in patterns.get(stage, []))
    return f"one sentence ({names}), then equal" if names else "-"


def main(names: list[str]) -> int:
    makers = {**dict.fromkeys(FAULTS, hit), "tmpfs": really_full, "two": two_at_once, "changed": input_changed}
    failed = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            cut = Cut(name, Path(folder))
            print(f"\n{name}\n\n| stage | {' | '.join(COLUMNS.values())} | tests |\n|{'---|' * (len(COLUMNS) + 2)}")
            for stage, (stage_name, tests) in enumerate(zip(STAGES, TESTS, strict=True), start=1):
                cells = []
                for what, maker in makers.items():
                    try:
                        cells.append(maker(cut, stage, what))
                    except (Unlike, AssertionError) as error:
                        cells.append(f"**{error}**")
                        failed += 1
                print(f"| {stage_name} | {' | '.join(cells)} | {tests} |", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(RECIPES)) > 0)
