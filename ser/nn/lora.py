"""Low-rank adapters instead of whole weights (Hu et al. 2022), through `peft`."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ser.errors import ConfigError
from ser.randomness import drawing

HANDED_ON = ("q_proj", "k_proj", "v_proj", "out_proj")
"""Layers whose weights s3prl's attention hands to torch without calling them: an adapter there would do nothing."""


def add_lora(model: nn.Module, rank: int, alpha: float, dropout: float, targets: Sequence[str], seed: int) -> None:
    """Put adapters around linear layers, in place; nothing else of the model is trained afterwards.

    W x becomes W x + (alpha / rank) B A x, with B = 0 at first.

    Args:
        model: a transformer.
        rank: of B A.
        alpha: scale.
        dropout: on the adapters' input.
        targets: ends of the names of layers, such as `fc1`.
        seed: of A; no global random state is touched.

    Raises:
        ConfigError: for a layer that the model lacks, or that is never called.
    """
    from peft import LoraConfig, inject_adapter_in_model

    linear = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    known = sorted(linear - {*HANDED_ON})
    for target in targets:
        if target not in known:
            reason = "is never called by the attention that owns it" if target in HANDED_ON else "is not in it"
            raise ConfigError(f"lora: target '{target}' {reason}; allowed are {', '.join(known)}")
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=rf".*\.({'|'.join(targets)})")
    with drawing(seed):
        inject_adapter_in_model(config, model)
