"""Data directories with what stage 3 reads of them: `wav.scp` and `utt2hash`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import kaldiio
import numpy as np

from ser.data.audio import probe
from ser.data.maps import write_map
from ser.features.config import FeatureConfig
from ser.features.extract import ARCHIVE, _made_from, extract_stale
from ser.system.files import write_json
from tests.fakes.wav import write_wav

PART = f"{ARCHIVE}.part"
SHORTCUT = FeatureConfig(upstream="shortcut")
FBANK = FeatureConfig(upstream="fbank_no_cmvn", pooling="mean+std")


def write_data_dir(data_dir: Path, wavs: Mapping[str, Path]) -> Path:
    """Write a data directory of files that exist."""
    write_map(data_dir / "wav.scp", wavs)
    write_map(data_dir / "utt2hash", {utt: probe(wav).audio_hash for utt, wav in wavs.items()})
    return data_dir


def write_corpus(folder: Path, n: int, n_samples: int = 2000) -> tuple[Path, dict[str, Path]]:
    """Write a corpus of noise, each file longer than the one before; file names do not tell the ids."""
    wavs = {f"c-s-u{i:02}": write_wav(folder / "wavs" / f"{i}.wav", i, n_samples + 37 * i) for i in range(n)}
    return write_data_dir(folder / "data" / "c", wavs), wavs


def extract(data_dir: Path, dump: Path, config: FeatureConfig = SHORTCUT, nj: int = 1) -> Path:
    """Extract one feature, called `f`, and give the folder of its archive."""
    extract_stale([("f", config)], [data_dir], dump, nj, "cpu")
    return dump / config.folder("f") / data_dir.name


def read_scp(folder: Path) -> dict[str, np.ndarray]:
    """Read an archive through its index, as another tool would."""
    return dict(kaldiio.load_scp(str(folder / "feats.scp")))


def content(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def archive(folder: Path) -> dict[str, bytes]:
    """Read a finished archive; the index names the folder, which may differ."""
    files = content(folder)
    return files | {"feats.scp": files["feats.scp"].replace(bytes(folder), b"")}


def interrupted(data_dir: Path, dump: Path, part: bytes, config: FeatureConfig = SHORTCUT) -> Path:
    """Leave what a run leaves that was killed after it had written `part`."""
    folder = dump / config.folder("f") / data_dir.name
    folder.mkdir(parents=True)
    (folder / PART).write_bytes(part)
    write_json(folder / f"{PART}.json", {"made_from": _made_from(config, data_dir), "precision": config.precision})
    return folder
