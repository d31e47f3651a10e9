"""Weights of transformers' wav2vec 2.0, HuBERT, WavLM and data2vec-audio in s3prl's modules of the same models.

Both libraries compute what fairseq does, under other names. So the same weights give the same frames, and all that is
built on s3prl's modules (batches, bf16 on a CPU, fine-tuning, LoRA) holds for either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ser.features.encoders.s3prl import upstream_module
from ser.features.encoders.transformer import TransformerEncoder

PREFIXES = {"wav2vec2": "wav2vec2.", "hubert": "hubert.", "wavlm": "wavlm.", "data2vec-audio": "data2vec_audio."}
"""Model type -> what stands before the names of its weights if a head was saved with it."""

_NAMES = (
    (r"(feature_extractor\.conv_layers\.\d+)\.conv\.", r"\1.0."),
    (r"feature_projection\.layer_norm\.", "layer_norm."),
    (r"feature_projection\.projection\.", "post_extract_proj."),
    (r"masked_spec_embed", "mask_emb"),
    (r"encoder\.pos_conv_embed\.conv\.parametrizations\.weight\.original0", "encoder.pos_conv.0.weight_g"),
    (r"encoder\.pos_conv_embed\.conv\.parametrizations\.weight\.original1", "encoder.pos_conv.0.weight_v"),
    (r"encoder\.pos_conv_embed\.conv\.", "encoder.pos_conv.0."),
    (r"encoder\.pos_conv_embed\.layers\.(\d+)\.conv\.", r"encoder.pos_conv.\1.0."),
    (r"(encoder\.layers\.\d+)\.attention\.rel_attn_embed\.", r"\1.self_attn.relative_attention_bias."),
    (r"(encoder\.layers\.\d+)\.attention\.gru_rel_pos_linear\.", r"\1.self_attn.grep_linear."),
    (r"(encoder\.layers\.\d+)\.attention\.gru_rel_pos_const", r"\1.self_attn.grep_a"),
    (r"(encoder\.layers\.\d+)\.attention\.", r"\1.self_attn."),
    (r"(encoder\.layers\.\d+)\.layer_norm\.", r"\1.self_attn_layer_norm."),
    (r"(encoder\.layers\.\d+)\.feed_forward\.intermediate_dense\.", r"\1.fc1."),
    (r"(encoder\.layers\.\d+)\.feed_forward\.output_dense\.", r"\1.fc2."),
)
"""Beginnings of transformers' names, and those of s3prl; other names are the same."""


def is_convertible(config: Any) -> bool:
    """Whether s3prl's modules compute a model of this configuration; other variants are left to transformers.

    Among these are models without a norm before the projection (DistilHuBERT) and with adapters in layers (MMS).
    """
    return (
        config.model_type in PREFIXES
        and config.hidden_act == config.feat_extract_activation == "gelu"
        and config.layer_norm_eps == 1e-5
        and getattr(config, "feat_proj_layer_norm", True)
        and not getattr(config, "conv_pos_batch_norm", False)
        and getattr(config, "adapter_attn_dim", None) is None
        and (config.model_type != "data2vec-audio" or config.num_conv_pos_embeddings > 1)
    )


def trainable(
    config: Any, weights: Mapping[str, Tensor], normalizes: bool, dropout: float | None = None, layerdrop: float = 0.0
) -> TransformerEncoder:
    """Build the encoder of a model.

    Args:
        config: transformers', for which `is_convertible` holds.
        weights: by transformers' names, in any precision.
        normalizes: whether waveforms get mean 0 and deviation 1 first; as in fairseq with 1e-5 added to the variance.
        dropout: see `TransformerEncoder`.
        layerdrop: see `TransformerEncoder`.

    Raises:
        ValueError: for weights that are missing or of another shape.
    """
    group_norm = config.model_type != "data2vec-audio" and config.feat_extract_norm == "group"
    # of what the weights replace nothing is drawn or held, except by WavLM, which draws on the CPU
    with torch.random.fork_rng([]), torch.device("cpu" if config.model_type == "wavlm" else "meta"):
        model = _model(config, group_norm)
        model.post_extract_proj = nn.Linear(config.conv_dim[-1], config.hidden_size)  # s3prl's only if sizes differ
    renamed = {_renamed(name, group_norm): tensor.float() for name, tensor in weights.items()}
    renamed.setdefault("mask_emb", torch.zeros(config.hidden_size))  # not kept by models that were trained without
    needed = {name for name in model.state_dict() if name.split(".")[0] in TransformerEncoder.PARTS}
    if missing := sorted(needed - renamed.keys()):
        raise ValueError(f"weights '{missing[0]}' and {len(missing) - 1} others are missing")
    try:
        model.load_state_dict({name: renamed[name] for name in needed}, strict=False, assign=True)
    except RuntimeError as error:
        raise ValueError(str(error).splitlines()[-1].strip()) from None
    return TransformerEncoder(model, normalizes, dropout, layerdrop)


def _renamed(name: str, group_norm: bool) -> str:
    """Give a weight s3prl's name; layer norms of convolutions stand between two transpositions there."""
    name = name.replace(".conv.weight_g", ".conv.parametrizations.weight.original0")
    name = name.replace(".conv.weight_v", ".conv.parametrizations.weight.original1")
    norm = r"\1.2." if group_norm else r"\1.2.1."
    for pattern, own in ((r"(feature_extractor\.conv_layers\.\d+)\.layer_norm\.", norm), *_NAMES):
        renamed, n = re.subn(f"^{pattern}", own, name)
        if n:
            return renamed
    return name


def _model(config: Any, group_norm: bool) -> nn.Module:
    """Build s3prl's model of a configuration, with weights that mean nothing."""
    layers = zip(config.conv_dim, config.conv_kernel, config.conv_stride, strict=True)
    settings = {
        "extractor_mode": "default" if group_norm else "layer_norm",
        "conv_feature_layers": str(
            [tuple(int(number) for number in layer) for layer in layers]
        ),  # s3prl evaluates it
        "conv_bias": config.conv_bias,
        "encoder_layers": config.num_hidden_layers,
        "encoder_embed_dim": config.hidden_size,
        "encoder_ffn_embed_dim": config.intermediate_size,
        "encoder_attention_heads": config.num_attention_heads,
        "layer_norm_first": getattr(config, "do_stable_layer_norm", False),
        "dropout": config.hidden_dropout,
        "attention_dropout": config.attention_dropout,
        "activation_dropout": config.activation_dropout,
        "dropout_input": config.feat_proj_dropout,
        "conv_pos": config.num_conv_pos_embeddings,
        "conv_pos_groups": config.num_conv_pos_embedding_groups,
    }
    if config.model_type == "wavlm":
        module = upstream_module("wavlm.WavLM")
        own = {
            "relative_position_embedding": True, "gru_rel_pos": True,
            "num_buckets": config.num_buckets, "max_distance": config.max_bucket_distance,
        }  # fmt: skip
        return module.WavLM(module.WavLMConfig(settings | own))
    if config.model_type == "data2vec-audio":
        depth = config.num_conv_pos_embeddings
        settings |= {"pos_conv_depth": depth, "conv_pos": depth * config.conv_pos_kernel_size}
    module = upstream_module("wav2vec2.wav2vec2_model")
    return module.Wav2Vec2Model(module.Wav2Vec2Config(**settings))
