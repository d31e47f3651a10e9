"""List what `upstream:` of a feature's YAML can name; `utils/list_upstreams.sh` calls this.

usage: python -m ser.bin.list_upstreams [WORD]

With WORD, only the lines that contain it.
"""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ser.config import load
from ser.errors import ConfigError, run_cli
from ser.features import hub
from ser.features.config import EGEMAPS, OWN, SHORTCUT, SPECTROGRAM, FeatureConfig

HERE = {
    "byol_s": "BYOL-S of 512 dimensions, from its checkpoint file",
    EGEMAPS: "functionals of eGeMAPSv02, by openSMILE",
    SHORTCUT: "duration, level and silence",
    SPECTROGRAM: "spectrogram segments for CNNs",
    OWN: "features that were computed elsewhere, below 'path'",
}
CONF = Path(__file__).parents[2] / "conf" / "features"


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("word", nargs="?", default="", metavar="WORD")
    word = parser.parse_args(argv).word.lower()
    known = list(lines())
    found = [line for line in known if word in line.lower()]
    if not found:
        near = difflib.get_close_matches(word, _words(known), n=1)
        hint = f"did you mean '{near[0]}'?" if near else "list all without a word"
        raise ConfigError(f"no upstream has '{word}' in its line; {hint}")
    print("\n".join(found))


def _words(lines: Sequence[str]) -> set[str]:
    """List the names of upstreams, and the words in them."""
    names = {line.split()[0].lower() for line in lines}
    return {word for name in names for word in (name, *re.split(r"[:/_-]", name)) if word}


def lines() -> Iterator[str]:
    """Give a line for each upstream: its name, and what it is."""
    from ser.features.encoders import huggingface, s3prl

    ready: dict[str, list[str]] = {}
    for path in sorted(CONF.glob("*.yaml")):
        ready.setdefault(load(path, FeatureConfig).upstream, []).append(path.stem)
    known = {
        **HERE,
        f"{hub.PREFIX}OWNER/NAME": f"any model of the hub of the classes {', '.join(huggingface.FAMILIES)}",
        f"{hub.PREFIX}FOLDER": "a folder with config.json, model.safetensors and preprocessor_config.json",
        **{f"{hub.PREFIX}{name}": "on the Hugging Face hub" for name in hub.KNOWN},
        **{name: _of_s3prl(name) for name in s3prl.names()},
    }
    for name, what in known.items():
        files = f"; conf/features: {', '.join(ready[name])}" if name in ready else ""
        yield f"{name:<42} {what}{files}"


def _of_s3prl(name: str) -> str:
    return "s3prl's, from a file named as 'ckpt'" if name.endswith("_local") else "s3prl's"


if __name__ == "__main__":
    run_cli(main)
