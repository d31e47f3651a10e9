"""Pretraining that goes on: the loss of a batch against a slow rewrite, what moves, and what it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ser.data.audio import RATE_HZ, load
from ser.data.data_dir import AudioPart
from ser.errors import ConfigError
from ser.features.encoders import load_pretraining
from ser.losses import MaskedContrastiveLoss, codebook_diversity
from ser.system.devices import make_fabric
from ser.training.pretraining import PretrainingConfig, PretrainingNetwork, distractors, go_on, loss_of
from tests.fakes import checkpoints

CONFIG = PretrainingConfig(
    lr=1e-3, epochs=1, batch_size=8, max_seconds=10, mask_length=3, mask_prob=0.5, distractors=6, temperature=0.1,
    diversity=0.1,
)  # fmt: skip

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
]


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory) -> str:
    return str(checkpoints.wav2vec2(tmp_path_factory.mktemp("checkpoint") / "w.pt"))


@pytest.fixture(scope="module")
def audio(tmp_path_factory) -> dict[str, AudioPart]:
    folder, found = tmp_path_factory.mktemp("audio"), {}
    for i in range(8):
        rng = np.random.default_rng(i)
        time = np.arange(int(rng.uniform(0.3, 0.6) * RATE_HZ)) / RATE_HZ
        sweep = np.sin(2 * np.pi * (200 + 2000 * (1 + np.sin(9 * time))) * time)
        soundfile.write(folder / f"{i}.wav", 0.3 * sweep + 0.01 * rng.normal(size=len(time)), RATE_HZ)
        found[f"u{i}"] = AudioPart(str(folder / f"{i}.wav"))
    return found


def network(ckpt: str) -> PretrainingNetwork:
    return PretrainingNetwork(*load_pretraining("wav2vec2_local", ckpt, dropout=0.0), CONFIG)


def test_the_loss_of_a_batch_is_that_of_a_slow_rewrite(ckpt, audio):
    """One utterance after another, without padding, each masked frame against frames of its own utterance."""
    model = network(ckpt).eval()  # no noise in the choice of codes
    features = [model.encoder.features(load(part.path)) for part in audio.values()]
    masks = [torch.arange(len(f)) % 4 < 2 for f in features]
    masks[2][:] = False  # one that is too short for a span, say
    lengths = torch.tensor([len(f) for f in features])
    pad = torch.nn.utils.rnn.pad_sequence
    torch.manual_seed(5)
    told = loss_of(model(pad(features, batch_first=True), lengths, pad(masks, batch_first=True)), model.shape, 0.1)
    torch.manual_seed(5)
    losses, probabilities = [], []
    for x, mask in zip(features, masks, strict=True):
        if not mask.any():
            continue
        frames = model.encoder.post_extract_proj(x)
        hidden = model.encoder(frames.unsqueeze(0), torch.tensor([len(x)]), mask.unsqueeze(0)).squeeze(0)
        codes, p = model.head.quantizer(x[mask])
        codes, context = model.head.project_codes(codes), model.head.project_context(hidden[mask])
        others = distractors(len(codes), 6)
        losses += MaskedContrastiveLoss(0.1)(context, codes, others).tolist()
        probabilities += list(p)
    l_d = codebook_diversity(torch.stack(probabilities).mean(0)).item()
    assert told["l_m"].item() == pytest.approx(np.mean(losses), rel=1e-4)
    assert told["l_d"].item() == pytest.approx(l_d, rel=1e-5)
    assert told["loss"].item() == pytest.approx(np.mean(losses) + 0.1 * l_d, rel=1e-4)


def test_contexts_and_codes_are_those_of_s3prls_own_pretraining(ckpt, audio, monkeypatch):
    """Its forward pass on one utterance: masked features in, cosines to the true codes out."""
    from ser.features.encoders import s3prl

    theirs, ours = s3prl._expert("wav2vec2_local", ckpt).eval().model, network(ckpt).eval()
    wav = load(audio["u0"].path)
    mask = torch.arange(len(ours.encoder.features(wav))) % 5 < 2

    def apply_mask(x, *_, **__):
        x = x.clone()
        x[:, mask] = theirs.mask_emb
        return x, mask.unsqueeze(0)

    monkeypatch.setattr(theirs, "apply_mask", apply_mask)
    expected = theirs(wav.unsqueeze(0), padding_mask=None, mask=True, features_only=False)["x"][
        0, 0
    ]  # times 1 / kappa
    x = ours.encoder.features(wav)
    hidden = ours.encoder(ours.encoder.projected(x).unsqueeze(0), torch.tensor([len(x)]), mask.unsqueeze(0))[0, mask]
    cosines = torch.cosine_similarity(ours.head.context(hidden), ours.head.codes(x[mask])[0], dim=-1)
    torch.testing.assert_close(cosines / theirs.logit_temp, expected, rtol=1e-3, atol=1e-3)


def test_transformer_codebooks_and_projections_move_and_the_front_end_does_not(ckpt, audio, tmp_path):
    encoder, head = load_pretraining("wav2vec2_local", ckpt, dropout=0.0)
    before = {name: x.clone() for part in (encoder, head) for name, x in part.state_dict().items()}
    go_on(make_fabric("cpu"), encoder, head, audio, list(audio), CONFIG, 2.0, 1, tmp_path / "unfinished")
    after = {name: x for part in (encoder, head) for name, x in part.state_dict().items()}
    still = {name for name, x in before.items() if torch.equal(x, after[name])}
    frozen = {name for name, p in encoder.named_parameters() if not p.requires_grad}
    assert frozen and still - frozen <= {name for name in still if name.endswith("k_proj.bias")}
    assert frozen <= still


def test_it_learns_and_the_seed_decides_it(ckpt, audio, tmp_path):
    def losses(seed: int, name: str) -> list[float]:
        encoder, head = load_pretraining("wav2vec2_local", ckpt, dropout=0.0)
        longer = CONFIG.model_copy(update={"epochs": 30, "lr": 3e-3})
        history = go_on(make_fabric("cpu"), encoder, head, audio, list(audio), longer, 8.0, seed, tmp_path / name)
        return [epoch["l_m"] for epoch in history]

    first = losses(1, "1")
    assert np.mean(first[-5:]) < np.mean(first[:5]) - 0.1
    assert losses(1, "2") == first != losses(2, "3")


def test_distractors_are_other_frames_and_all_of_them():
    drawn = distractors(5, 400)
    for t, own in enumerate(drawn.tolist()):
        assert set(own) == {0, 1, 2, 3, 4} - {t}


def test_only_wav2vec2_has_codebooks(tmp_path):
    path = str(checkpoints.hubert(tmp_path / "h.pt"))
    with pytest.raises(
        ConfigError, match="'hubert_local' has no codebooks with which its contrastive pretraining could"
    ):
        load_pretraining("hubert_local", path)
    with pytest.raises(ConfigError, match=r"'hf:.*' has no codebooks"):
        load_pretraining(f"hf:{Path(tmp_path)}", None)
