"""Rows about mixtures of experts: what recording costs above a bare pass of the same model.

A tiny model is the hard case: its products take little time, so that everything else shows. The bare pass runs its
experts one by one, which shows what a recorder must see, or fused as transformers does by default.
"""

import copy
import time
from collections.abc import Sequence
from dataclasses import replace

import torch
import transformers
from internal_physics.config.prompts import Prompt
from internal_physics.models.loading import LoadedModel, wrap_model
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.loss import causal_targets, losses_nats
from internal_physics.recording.recorder import RecordOptions, model_inputs, record_batches
from internal_physics.recording.selfcheck import check_model

from benchmarks.harness import Row, alternate, ratio

BAR = 1.3
_SIZES = {
    **{"vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4},
    **{"num_key_value_heads": 2, "pad_token_id": 0},
}
MODELS = {
    "tiny Mixtral": transformers.MixtralConfig(
        **_SIZES, intermediate_size=128, num_local_experts=8, num_experts_per_tok=2
    ),
    "tiny Qwen3-MoE": transformers.Qwen3MoeConfig(
        **_SIZES, head_dim=16, moe_intermediate_size=32, num_experts=16, num_experts_per_tok=4
    ),
}
_BARE = {"one by one": "eager", "fused": "grouped_mm"}


def rows(rounds: int) -> list[Row]:
    """Measure CPU time of tiny models in float32; factors are kept, attention is not."""
    return [row for name in MODELS for row in _of_model(name, rounds)]


def _of_model(name: str, rounds: int) -> list[Row]:
    torch.manual_seed(0)
    module = transformers.AutoModelForCausalLM.from_config(MODELS[name]).requires_grad_(False)
    bare = {how: copy.deepcopy(module) for how in _BARE}
    for how, copied in bare.items():
        copied.set_experts_implementation(_BARE[how])
    model, prompts = check_model(wrap_model(module, None)).model, _prompts(16)
    found = []
    for words, batch_size in (("one at a time", 1), ("batch of 16", 16)):
        options = RecordOptions(batch_size=batch_size, attention_entropy=False)
        contestants = {"record": lambda options=options: _record(model, prompts, options)}
        for how, copied in bare.items():
            subject = replace(model, module=copied)
            contestants[how] = lambda subject=subject, n=batch_size: bare_passes(subject, prompts, n)
        seconds = alternate(contestants, rounds, clock=time.process_time)
        for how in _BARE:
            times, bar = ratio(seconds["record"], seconds[how]), f"≤ {BAR}×" if how == "one by one" else ""
            what = f"{name}: record vs. bare forward+backward with experts {how}, {words}"
            found.append(Row(what, bar, f"{times:.2f}×", not bar or times <= BAR))
    return found


def _prompts(n: int) -> list[Encoded]:
    """Random ids, 14 to 29 tokens."""
    draw = torch.Generator().manual_seed(0)
    lengths = [14 + i % 16 for i in range(n)]
    ids = [tuple(torch.randint(1, _SIZES["vocab_size"], (length,), generator=draw).tolist()) for length in lengths]
    return [Encoded(Prompt(f"p{i}", ""), own, tuple(map(str, own)), len(own) - 1, None) for i, own in enumerate(ids)]


def _record(model: LoadedModel, prompts: Sequence[Encoded], options: RecordOptions) -> None:
    for _trace in record_batches(model, prompts, options):
        pass


def bare_passes(model: LoadedModel, prompts: Sequence[Encoded], batch_size: int) -> None:
    """The same passes with frozen weights; nothing is recorded."""
    handle = model.module.get_input_embeddings().register_forward_hook(lambda _m, _a, output: output.requires_grad_())
    for first in range(0, len(prompts), batch_size):
        batch = prompts[first : first + batch_size]
        logits = model.module(**model_inputs(model, batch, attention_entropy=False)).logits
        losses_nats(logits, causal_targets([e.ids for e in batch], logits.shape[1], logits.device)).sum().backward()
    handle.remove()
