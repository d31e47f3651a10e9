"""One utterance at a time through `hf:`, transformers' own loop, and s3prl: models of base size with random weights.

usage: python -m benchmarks.hub_extraction [UTTERANCES]

All sides of a model run in one process of one thread, one after another for every utterance, so that other load meets
them alike; what is counted is the processor's time. Audio is noise of 1 to 6 s at 16 kHz. transformers' own loop is
that of its documentation: the feature extractor, then the model with `output_hidden_states`, in fp32. All sides have
the same weights; the cosine is the smallest between a side's means and those of transformers' own loop.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import torch
import transformers
from torch import Tensor
from torch.nn.functional import cosine_similarity

from benchmarks.base_models import hubert_base, wav2vec2_base, wavlm_base
from ser.features import encoders
from ser.system.devices import fast_precision

CPU = torch.device("cpu")
S3PRL = {
    "Wav2Vec2": ("wav2vec2_local", wav2vec2_base),
    "Hubert": ("hubert_local", hubert_base),
    "WavLM": ("wavlm_local", wavlm_base),
}
"""Class of transformers -> s3prl's name, and the writer of a checkpoint of the same size."""

Encode = Callable[[Tensor], Tensor]
"""From samples (T,) to the means of the last layer (D,)."""


def sides(kind: str, folder: Path) -> Iterator[tuple[str, Encode]]:
    """Make the ways to encode with a model; the first is transformers' own."""
    settings = {"d_model": 512, "encoder_layers": 6, "decoder_layers": 1, "encoder_attention_heads": 8,
                "decoder_attention_heads": 8, "encoder_ffn_dim": 2048} if kind == "Whisper" else {}  # fmt: skip
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**settings)).eval()
    reader = (transformers.WhisperFeatureExtractor() if kind == "Whisper"
              else transformers.Wav2Vec2FeatureExtractor(do_normalize=False))  # fmt: skip
    for part in (model, reader):
        part.save_pretrained(folder / kind)
    encoder = model.encoder if kind == "Whisper" else model

    @torch.no_grad()
    def own(wav: Tensor) -> Tensor:
        inputs = reader(wav.numpy(), sampling_rate=16_000, return_tensors="pt")
        last = encoder(**inputs, output_hidden_states=True).last_hidden_state[0]
        return last[: -(-len(wav) // 320)].mean(0)  # of Whisper's 30 s, those of the utterance

    yield "transformers, fp32", own
    if kind in S3PRL:
        by_s3prl = encoders.load(S3PRL[kind][0], str(checkpoint(kind, folder)), None, CPU)
        yield "s3prl, fp32", lambda wav: by_s3prl(wav)[-1].mean(0)
    for precision in dict.fromkeys(("fp32", fast_precision("cpu"))):
        ours = encoders.load(f"hf:{folder / kind}", None, None, CPU, precision)
        yield f"hf:, {precision}", lambda wav, ours=ours: ours(wav)[-1].mean(0)


def checkpoint(kind: str, folder: Path) -> Path:
    """Write a model that stands below a folder as a checkpoint for s3prl, whose names `load_trainable` gives."""
    path = S3PRL[kind][1](folder / f"{kind}.pt")
    state = torch.load(path, weights_only=True)
    state["model" if kind == "WavLM" else "model_weight"] |= encoders.load_trainable(
        f"hf:{folder / kind}", None
    ).state_dict()
    torch.save(state, path)
    return path


def main(n_utts: int) -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    wavs = [torch.from_numpy(0.1 * rng.standard_normal(int(16_000 * s)).astype(np.float32))
            for s in np.clip(rng.lognormal(1.0, 0.35, n_utts + 1), 1, 6)]  # fmt: skip
    seconds = [len(wav) / 16_000 for wav in wavs]
    print("| model | way | audio s per s | ratio | smallest cosine |\n|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in (*S3PRL, "Whisper"):
            ways = dict(sides(kind, Path(folder)))
            spent: dict[str, list[float]] = {way: [] for way in ways}
            means: dict[str, list[Tensor]] = {way: [] for way in ways}
            for wav in wavs:  # the first warms up
                for way, encode in ways.items():
                    started = time.process_time()
                    means[way].append(encode(wav))
                    spent[way].append(time.process_time() - started)
            exact = torch.stack(means["transformers, fp32"])
            for way, own in spent.items():
                ratio = median(first / t for first, t in zip(spent["transformers, fp32"][1:], own[1:], strict=True))
                rate = sum(seconds[1:]) / sum(own[1:])
                cosine = cosine_similarity(torch.stack(means[way]), exact).min()
                print(f"| {kind} | {way} | {rate:.1f} | {ratio:.2f} | {cosine:.5f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
