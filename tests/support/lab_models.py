"""Tiny lab models of every kind, their weights shaken so that no bias or table is 0."""

from dataclasses import replace
from functools import cache

import torch
from internal_physics.config.options.lab_training import LabModelOptions
from internal_physics.lab.data.vocabulary import Vocabulary
from internal_physics.lab.models.build import build_model, lab_config
from transformers import PreTrainedModel

VOCABULARY = Vocabulary.of([*(f"w{i}" for i in range(37)), "<mask>"])
CONTEXT = 24
PLAIN = LabModelOptions(layers=2, width=16, heads=4, mlp_width=24, context=CONTEXT)
RICH = replace(PLAIN, mlp="gated", activation="silu", norm="rms", biases=False, tied=False, canon="ABCD")
CAUSAL = {
    f"{attention}-{name}": replace(options, attention=attention)
    for attention in ("absolute", "rotary", "relative", "position_only", "uniform")
    for name, options in (("plain", PLAIN), ("rich", RICH))
} | {"rotary-no-gains": replace(RICH, attention="rotary", norm_gains=False)}
MASKED = {
    f"masked-{name}": replace(options, masked=True)
    for name, options in CAUSAL.items()
    if options.attention != "uniform"
}
EVERY = CAUSAL | MASKED


def task_of(name: str) -> str:
    """causal or masked."""
    return "masked" if EVERY[name].masked else "causal"


@cache
def lab_model(name: str, dtype: torch.dtype = torch.float64, attention: str = "eager") -> PreTrainedModel:
    """A seeded model of a kind; shared, so leave it as it is."""
    model = build_model(lab_config(EVERY[name], VOCABULARY, CONTEXT), seed=0, attention=attention).to(dtype)
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=draws, dtype=torch.float64).to(dtype)
    return model.requires_grad_(False)
