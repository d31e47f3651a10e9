"""One data directory of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.data.columns import Columns, check_dest, read_info, read_valid, some, write
from ser.data.maps import PARTIAL, SEGMENTS, UTT_FILES
from ser.errors import DataError

LEFT_OUT = ", so it is left out"


def combine_data(dest: Path, sources: Sequence[Path], allow_pipes: bool = False) -> list[str]:
    """Write one data directory of several.

    Ratings and texts stay missing where a part lacks them. A file that holds all utterances or none is filled: in
    `utt2session` a speaker is a session of its own (the leak audit stays as strict as it was), in `utt2emo_acted`
    the word is `unknown`, in `segments` an utterance is its whole file. `spk2gender` is then left out.

    Returns:
        One sentence per file that a part lacks.

    Raises:
        DataError: if an utterance stands in two parts, or a speaker has two genders.
    """
    check_dest(dest, sources)
    parts = {source: read_valid(source, allow_pipes) for source in sources}
    names = list(dict.fromkeys(name for part in parts.values() for name in part))
    origin: dict[str, Path] = {}
    columns: Columns = {name: {} for name in names}
    left_out: set[str] = set()
    notes: list[str] = []
    for source, part in parts.items():
        _check_clash(source, part, columns, origin)
        for name in names:
            entries, told = (part[name], "") if name in part else _stand_in(name, part)
            columns[name].update(entries)
            if name not in part:
                notes.append(f"{name}: {source} has none{told}")
            if told == LEFT_OUT:
                left_out.add(name)
    columns = {name: column for name, column in columns.items() if name not in left_out}
    write(dest, columns, _combined_info(dest, parts, notes), allow_pipes)
    return notes


def _stand_in(name: str, part: Columns) -> tuple[dict[str, str], str]:
    """Give what a file says of the utterances of a part that lacks it, and how to tell so."""
    utt2spk = part["utt2spk"]
    if name in PARTIAL or name not in (*UTT_FILES, SEGMENTS, "spk2gender"):
        return {}, ""
    if name == "utt2session":
        return utt2spk, "; each of its speakers stands for a session"
    if name == "utt2emo_acted":
        return dict.fromkeys(utt2spk, "unknown"), "; its utterances read 'unknown'"
    if name == SEGMENTS:
        whole = {utt: f"{utt} {0:.6f} {float(duration):.6f}" for utt, duration in part["utt2dur"].items()}
        return whole, "; its utterances are whole files"
    return {}, LEFT_OUT


def _check_clash(source: Path, part: Columns, columns: Columns, origin: dict[str, Path]) -> None:
    if both := sorted(part["utt2spk"].keys() & origin.keys()):
        raise DataError(
            f"{source} and {origin[both[0]]} share {some(both, 'utterance ids')}; ids are unique across parts: "
            "leave one directory out, or take a subset of it"
        )
    for speaker, gender in part.get("spk2gender", {}).items():
        if (other := columns["spk2gender"].get(speaker, gender)) != gender:
            raise DataError(
                f"{source}: speaker '{speaker}' is '{gender}', in another part '{other}'; give one gender"
            )
    origin.update(dict.fromkeys(part["utt2spk"], source))


def _combined_info(dest: Path, parts: Mapping[Path, Columns], notes: list[str]) -> dict[str, Any]:
    infos = {source: read_info(source) for source in parts}
    fields = ("corpus", "title", "licence", "page", "release")
    releases = {info.get("release") for info in infos.values()}
    return {
        "corpus": dest.resolve().name,
        "title": " + ".join(str(info.get("title", source.name)) for source, info in infos.items()),
        "licence": "; ".join(dict.fromkeys(info["licence"] for info in infos.values() if "licence" in info)),
        # No published counts stand for a combination; what is weaker than a user's own corpus shows through.
        "release": next((release for release in ("subset", "mini") if release in releases), "own"),
        "parts": [
            {
                "path": str(source.resolve()),
                **{field: info[field] for field in fields if field in info},
                "n_utterances": len(parts[source]["utt2spk"]),
            }
            for source, info in infos.items()
        ],
        "notes": notes,
    }
