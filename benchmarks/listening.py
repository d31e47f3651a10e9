"""Stage 1's look at audio: headers only, as before version 2 of it, against listening; and the search for copies.

usage: python -m benchmarks.listening data/emodb data/ravdess data/urdu        from the root of the repository

Reads the audio of data directories in one process, as WAV and as FLAC, prints seconds of CPU and the peak of memory,
and searches 100,000 invented fingerprints for copies.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from ser.data.audio import probe
from ser.data.data_dir import read_audio_parts
from ser.data.fingerprint import Fingerprint
from ser.data.listen import listen
from ser.splits.copies import alike

N_INVENTED = 100_000


def main() -> None:
    wavs = [part.path for folder in sys.argv[1:] for part in read_audio_parts(Path(folder)).values()]
    print("| step | files | CPU s | ms per file | peak MB |\n|---|---:|---:|---:|---:|")
    _row("header and hash, WAV", wavs, probe)
    _row("listening, WAV", wavs, listen)
    with tempfile.TemporaryDirectory() as folder:
        flacs = [str(Path(folder) / f"{i}.flac") for i in range(len(wavs))]
        for wav, flac in zip(wavs, flacs, strict=True):
            samples, rate_hz = soundfile.read(wav, dtype="int16")
            soundfile.write(flac, samples, rate_hz)
        _row("decoding and hash, FLAC", flacs, probe)
        _row("listening, FLAC", flacs, listen)
    rng = np.random.default_rng(1)
    invented = {
        str(i): Fingerprint(str(i), float(seconds), rng.integers(-60, 60, 576, dtype=np.int8).tobytes())
        for i, seconds in enumerate(rng.gamma(4, 0.7, N_INVENTED) + 0.3)
    }
    _row("search for copies", ["all"] * N_INVENTED, lambda _: None, lambda: sum(1 for _ in alike(invented)))


def _row(name: str, files: list[str], of_file: object, whole: object = None) -> None:
    started = time.process_time()
    if whole is not None:
        whole()
    else:
        for file in files:
            of_file(file)
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {name} | {len(files):,} | {seconds:.1f} | {1000 * seconds / len(files):.2f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
