"""Some utterances of a data directory as one of their own."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ser.data.columns import Columns, check_dest, existing, only, read_info, read_valid, some, write
from ser.data.maps import read_list, read_map
from ser.errors import ConfigError, DataError
from ser.randomness import seed_of

ORDERS = ("random", "first", "last", "shortest")


def subset_data_dir(source: Path, keep: Collection[str], dest: Path, how: str, allow_pipes: bool = False) -> int:
    """Write a data directory of some utterances of another.

    Args:
        source: a valid data directory.
        keep: ids of its utterances, from `choose`, `listed` or elsewhere.
        dest: written whole or not at all; a directory that this function or `combine_data` made is replaced.
        how: how they were chosen, for `corpus.json`.
        allow_pipes: see `validate_data_dir`.

    Returns:
        The number of utterances written.
    """
    check_dest(dest, [source])
    columns = read_valid(source, allow_pipes)
    kept = set(keep)
    part = only(columns, kept)
    info = read_info(source)
    of = {"release": info.get("release"), "n_utterances": len(columns["utt2spk"]), "how": how}
    for name in ("made_from", "formats"):  # of the whole
        info.pop(name, None)
    whole = kept >= columns["utt2spk"].keys()
    info |= {"subset_of": of} if whole else {"subset_of": of, "release": "subset"}
    write(dest, part, info, allow_pipes)
    return len(part["utt2spk"])


def choose(
    source: Path, n: int, order: str = "random", per_speaker: bool = False, seed: int = 1, allow_pipes: bool = False
) -> list[str]:
    """Choose utterances of a data directory, or of each of its speakers.

    Random order is that of a hash of seed and id: the same on every machine, independent of what else the
    directory holds, and a smaller choice is part of a larger one of the same seed.

    Args:
        source: a valid data directory.
        n: how many; of each speaker at most so many if `per_speaker`.
        order: take the first `n` in `random`, `first` (by id), `last` or `shortest` order.

    Raises:
        DataError: if there are fewer than `n` utterances.
    """
    if n < 1:
        raise ConfigError(f"N: found {n}, expected a number of utterances above 0")
    columns = read_valid(source, allow_pipes)
    utts = _ordered(columns, order, seed)
    if per_speaker:
        of_speaker: dict[str, list[str]] = {}
        for utt in utts:
            of_speaker.setdefault(columns["utt2spk"][utt], []).append(utt)
        return sorted(utt for theirs in of_speaker.values() for utt in theirs[:n])
    if n > len(utts):
        raise DataError(f"{source}: holds {len(utts)} utterances, {n} were asked for; ask for at most {len(utts)}")
    return sorted(utts[:n])


def _ordered(columns: Columns, order: str, seed: int) -> list[str]:
    utts = sorted(columns["utt2spk"])
    if order == "random":
        return sorted(utts, key=lambda utt: seed_of("subset_data_dir", seed, utt))
    if order == "shortest":
        return sorted(utts, key=lambda utt: (float(columns["utt2dur"][utt]), utt))
    return utts if order == "first" else utts[::-1]


def listed(source: Path, utt_list: Path | None = None, spk_list: Path | None = None) -> list[str]:
    """Take the utterances that a list names, or those of the speakers that it names (first word of each line).

    Raises:
        DataError: for an empty list or an id that the directory has not.
    """
    utt2spk = read_map(existing(source) / "utt2spk")
    path = utt_list or spk_list
    names = {name.strip() for name in read_list(path)} - {""}
    what, known = ("utterances", set(utt2spk)) if utt_list else ("speakers", set(utt2spk.values()))
    if not names:
        raise DataError(f"{path}: names no {what}; expected one id per line")
    if strange := sorted(names - known):
        raise DataError(f"{path}: {some(strange, what)} are not in {source}; take them off the list")
    return sorted(names if utt_list else (utt for utt, speaker in utt2spk.items() if speaker in names))
