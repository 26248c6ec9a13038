"""Tiny models, their records, and steered ones: what the tests of steering share."""

import numpy as np
import torch
from internal_physics.config.prompts import Prompt
from internal_physics.models.loading import wrap_model
from internal_physics.recording.encoding import encode
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.selfcheck import check_model
from internal_physics.steering.intervention import Edit, Steering
from tiny_models import build_model, build_tokenizer, task_of

WIDTH = 32
TEXTS = {
    "causal": ("hello world", "a cat sat here", "one"),
    "masked": ("hello [MASK] world", "a [MASK]", "one [MASK] two"),
}
V = np.random.default_rng(0).standard_normal(WIDTH)
SOME = ("llama", "gpt2", "bloom", "bert")  # tensor and tuple outputs, Conv1D, masked


def load(name, dtype=torch.float64):
    task = task_of(name)
    tokenizer = build_tokenizer(masked=task == "masked")
    return check_model(wrap_model(build_model(name, dtype), tokenizer, task)).model


def record(model, steering=None, texts=None, **options):
    texts = texts or TEXTS[model.task]
    encoded = [encode(Prompt(f"p{i}", t), model.tokenizer, model.task, None) for i, t in enumerate(texts)]
    traces = record_batches(model, encoded, RecordOptions(**options), steering)
    return [t for _, t in sorted((t.info.prompt, t) for t in traces)]


def added(layer, vector, **options):
    return Steering({layer: (Edit(np.asarray(vector)),)}, **options)
