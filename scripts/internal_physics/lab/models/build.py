"""Options and a vocabulary → a lab model with its first weights, and back to a folder that any loader reads."""

from pathlib import Path

import torch
from transformers import PreTrainedModel

from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.seeds import seed_of
from internal_physics.lab.data.vocabulary import END_ID, PADDING_ID, Vocabulary
from internal_physics.lab.models.tokenizer import build_tokenizer
from internal_physics.models.lab_architecture.configuration import LabConfig, require_sound
from internal_physics.models.lab_architecture.register import HEADS_OF_LAB_MODELS

SMALLEST_CONTEXT = 16
"""Tokens that every model reads, so that the self-check before recording has room for its own rows."""


def lab_config(options: LabModelOptions, vocabulary: Vocabulary, tokens_per_row: int) -> LabConfig:
    """The config of a model.

    Raises:
        ConfigError: if rows are longer than the context that the options ask for.
        ModelError: for options that describe no model.
    """
    if options.context and options.context < tokens_per_row:
        raise ConfigError(
            f"context is {options.context}", where="model", expected=f"{tokens_per_row} or more: the data's longest row"
        )
    config = LabConfig(
        vocab_size=len(vocabulary),
        hidden_size=options.width,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        intermediate_size=mlp_width(options),
        max_position_embeddings=options.context or max(tokens_per_row, SMALLEST_CONTEXT),
        attention=options.attention,
        mlp=options.mlp,
        activation=options.activation,
        norm=options.norm,
        norm_gains=options.norm_gains,
        canon=options.canon,
        biases=options.biases,
        reads_both_ways=options.masked,
        rotary_base=options.rotary_base,
        rotary_share=options.rotary_share,
        initial_std=options.initial_std,
        embedding_std=options.embedding_std,
        zero_outputs=options.zero_outputs,
        tie_word_embeddings=options.tied,
        pad_token_id=PADDING_ID,
        bos_token_id=END_ID,
        eos_token_id=END_ID,
    )
    require_sound(config)
    return config


def mlp_width(options: LabModelOptions) -> int:
    """Width inside the MLP."""
    usual = 8 * options.width // 3 if options.mlp == "gated" else 4 * options.width
    return options.mlp_width or usual


def build_model(config: LabConfig, seed: int, *, attention: str = "sdpa") -> PreTrainedModel:
    """A model with first weights that depend on config and seed only; float32, on the CPU, in eval mode."""
    config._attn_implementation = attention
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, "first weights") % 2**63)
        return HEADS_OF_LAB_MODELS["masked" if config.reads_both_ways else "causal"](config).eval()


def save_model(model: PreTrainedModel, vocabulary: Vocabulary, folder: str | Path) -> None:
    """Write an ordinary snapshot: config.json, weights, tokenizer."""
    model.save_pretrained(folder)
    build_tokenizer(vocabulary).save_pretrained(folder)


def n_parameters(config: LabConfig) -> int:
    """How many numbers a model of this config learns, in closed form."""
    d, m, v, n_layers = config.hidden_size, config.intermediate_size, config.vocab_size, config.num_hidden_layers
    bias = int(config.biases)
    norms = d * (2 if config.norm == "layer" and config.biases else 1)
    n_maps = 4 if config.has_queries else 2
    attention = n_maps * (d * d + bias * d) + config.num_attention_heads * config.n_distances
    mlp = (3 if config.mlp == "gated" else 2) * d * m + bias * ((2 if config.mlp == "gated" else 1) * m + d)
    widths = {"A": d, "B": (3 if config.has_queries else 1) * d, "C": d, "D": m}
    canon = sum(4 * widths[place] for place in config.canon)
    positions = config.max_position_embeddings * d if config.attention == "absolute" else 0
    heads = 1 if config.tie_word_embeddings else 2
    of_block = attention + mlp + canon + 2 * norms * int(config.norm_gains)
    return n_layers * of_block + norms + heads * v * d + positions
