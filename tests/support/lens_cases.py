"""One recorded prompt of each tiny architecture, with its readout and a float64 copy of its model."""

from functools import cache

import torch
from internal_physics.config.prompts import Prompt
from internal_physics.families.information.rows import rows
from internal_physics.models.loading import wrap_model
from internal_physics.models.readout import Readout
from internal_physics.recording.encoding import encode
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.selfcheck import check_model
from tiny_models import build_model, build_tokenizer, task_of

OPTIONS = RecordOptions(weight_gradients="none")
TEXTS = {"causal": "the cat sat on the mat", "masked": "the cat [MASK] on the mat"}


@cache
def case(name, dtype="float32", answer=None):
    """(trace, readout, float64 copy of the model) of one prompt."""
    task = task_of(name)
    model = check_model(
        wrap_model(build_model(name, getattr(torch, dtype)), build_tokenizer(task == "masked"), task)
    ).model
    model.labels = {"model": name, "condition": "baseline", "prompt_set": "s"}
    encoded = encode(Prompt("p", TEXTS[task], answer=answer), model.tokenizer, task, None)
    (trace,) = record_batches(model, [encoded], OPTIONS)
    oracle = build_model(name, torch.float32).double() if dtype == "float32" else build_model(name, torch.float64)
    return trace, Readout(model.module, model.anatomy), oracle


def found_rows(trace, found):
    """quantity → [layer], without heads."""
    table = {}
    for row in rows(trace, found):
        if row.rank is None:
            table.setdefault(row.quantity, []).append(row.value)
    return table
