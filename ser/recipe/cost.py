"""What the runs of a plan cost: counted from their lists, and timed by one step on this machine."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ser.cost.base import A_LONG_TIME_S, SUSTAINED_TFLOPS, Measured, Work, a100_hours, find
from ser.data.maps import read_map
from ser.errors import SerError
from ser.system.devices import is_out_of_memory
from ser.system.progress import duration

if TYPE_CHECKING:
    from ser.recipe.recipe import Recipe
    from ser.system.devices import Device

Run = tuple[str, int]
"""Name of a row, and a seed."""


@dataclass
class Kind:
    """A kind of work of one method on one feature, added up over runs.

    Attributes:
        runs: how many have it.
        steps, audio, heard: as in `Work`.
        seconds: in one process; None where it was not timed.
        a100: hours that are estimated for one A100; 0 where operations were not counted.
        disk: bytes of weights; None where it was not timed.
        untimed: why it was not timed.
        may_stop: whether some of it may end before all steps are done.
    """

    runs: int = 0
    steps: int = 0
    audio: float = 0.0
    heard: float = 0.0
    seconds: float | None = 0.0
    a100: float = 0.0
    disk: float | None = 0.0
    untimed: str = ""
    may_stop: bool = False

    def add(self, work: Work, measured: Measured | str, n_runs: int, precision: str) -> None:
        """Add the same work of some runs; `measured` may say why there is none."""
        self.runs += n_runs
        self.steps += n_runs * work.steps
        self.audio += n_runs * work.audio
        self.heard += n_runs * work.heard
        self.may_stop |= work.may_stop
        if isinstance(measured, str):
            self.untimed, self.seconds, self.disk = measured, None, None
        elif self.seconds is not None and self.disk is not None:
            self.seconds += n_runs * work.seconds(measured)
            self.disk += n_runs * work.models * measured.weights
            self.a100 += n_runs * a100_hours(work.flop(measured), precision)


@dataclass
class Costs:
    """Costs of a plan.

    Attributes:
        kinds: (method, feature, what) -> its work.
        fits: (method, feature) -> runs of methods that have no steps.
        precisions: that estimates for a GPU assume.
        uncounted: label of a row whose work cannot be counted -> why.
    """

    kinds: dict[tuple[str, str, str], Kind] = field(default_factory=dict)
    fits: dict[tuple[str, str], int] = field(default_factory=dict)
    precisions: set[str] = field(default_factory=set)
    uncounted: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Of all that was timed, in one process."""
        return sum(kind.seconds or 0.0 for kind in self.kinds.values())

    @property
    def may_stop(self) -> bool:
        """Whether that is a bound, as dev may end trainings early."""
        return any(kind.may_stop for kind in self.kinds.values())

    @property
    def a100(self) -> float:
        """Estimated hours on one A100."""
        return sum(kind.a100 for kind in self.kinds.values())


def costs(
    recipe: Recipe,
    todo: Collection[Run],
    device: Device,
    is_timed: bool,
    measured: dict[Hashable, Measured | str] | None = None,
) -> Costs:
    """Count the work of runs, and time a step of each kind once.

    Args:
        recipe: whose stages 1 to 3 are done.
        todo: runs.
        device: as in stage 4.
        is_timed: whether steps are timed, or counted only.
        measured: what was timed for other runs, and holds afterwards what was timed for these.
    """
    found = Costs()
    measured = {} if measured is None else measured
    read: dict[str, object] = {}
    seconds = {u: float(s) for c in recipe.corpora for u, s in read_map(recipe.data / c / "utt2dur").items()}
    seeds: dict[str, int] = {}
    for name, _ in todo:
        seeds[name] = seeds.get(name, 0) + 1
    for row in (row for row in recipe.rows if row.name in seeds):
        cost = find(row.values["method"])
        if cost is None:
            key = row.values["method"], row.feature
            found.fits[key] = found.fits.get(key, 0) + seeds[row.name]
            continue
        precision = getattr(row.config, "precision", "fp32")
        try:
            if row.reads not in read:
                read = {row.reads: recipe.run_data(row, scoring=False)}
            works = cost.works(row.config, read[row.reads], seconds, device)
        except SerError as error:  # its training will end so, too, and the others go on
            found.uncounted[row.label] = str(error)
            continue
        for work in works:
            one = (row.values["method"], row.feature, work.size)
            if is_timed and one not in measured:
                measured[one] = _measured(work)
            kind = found.kinds.setdefault((row.values["method"], row.feature, work.what), Kind())
            kind.add(work, measured.get(one, "not timed here"), seeds[row.name], precision)
            if kind.a100:
                found.precisions.add(precision)
    return found


def _measured(work: Work) -> Measured | str:
    """Time a unit in the number of threads that a part of stage 4 has, or say why not."""
    import os

    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        return work.measure()
    except SerError as error:  # an encoder that is not there, say; the run itself will say so too
        return str(error)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return "not timed: the memory was not enough for a step"
    finally:
        torch.set_num_threads(n_threads)


def said(costs: Costs, n_processes: int) -> list[str]:
    """Write costs as lines.

    Args:
        costs: of a plan.
        n_processes: that work at the same time.
    """
    lines = [_line(*key, kind) for key, kind in costs.kinds.items()]
    lines += [
        f"{method} on {feature}: {n} {'run' if n == 1 else 'runs'} without steps, not timed"
        for (method, feature), n in costs.fits.items()
    ]
    lines += [f"{label}: not counted: {why}" for label, why in costs.uncounted.items()]
    if costs.seconds:
        wall, at_most = costs.seconds / n_processes, "at most " if costs.may_stop else ""
        at_once = f", {duration(wall)} in {n_processes} processes" if n_processes > 1 else ""
        lines.append(
            f"together {at_most}{duration(costs.seconds)} of computing on this machine{at_once}, from one timed step "
            "each"
        )
        if costs.a100:
            assumed = " and ".join(f"{SUSTAINED_TFLOPS[one]:g} TFLOP/s in {one}" for one in sorted(costs.precisions))
            counted = dict.fromkeys(f"{method} on {of}" for (method, of, _), kind in costs.kinds.items() if kind.a100)
            others = {f"{method} on {of}" for method, of, _ in costs.kinds} - counted.keys()
            of_some = f" for {' and '.join(counted)}" if others else ""
            lines.append(
                f"one A100{of_some}: {at_most or 'about '}{duration(3600 * costs.a100)}, estimated, not measured: "
                f"the operations counted in these steps at a sustained {assumed}"
            )
        if wall > A_LONG_TIME_S:
            may = "may take" if costs.may_stop else "takes"
            lines.append(f"this {may} over an hour ({duration(wall)}); --dry_run true stops before it, "
                         "and --rows, --tasks, and --seeds choose a part")  # fmt: skip
    return lines


def _line(method: str, feature: str, what: str, kind: Kind) -> str:
    """Write one kind of work as a line."""
    at_most = "at most " if kind.may_stop else ""
    parts = [f"{kind.runs} {'run' if kind.runs == 1 else 'runs'}", f"{at_most}{kind.steps:,} steps"]
    parts.append(f"{_hours(kind.audio)} of audio" + (f" and {_hours(kind.heard)} scored" if kind.heard else ""))
    if kind.seconds is None:
        parts.append(kind.untimed)
    else:
        parts += [duration(kind.seconds), f"{_size(kind.disk)} of weights" if kind.disk else "no weights kept"]
    return f"{method} on {feature}, {what}: {', '.join(parts)}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds < 36000 else f"{seconds / 3600:,.0f} h"


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
