"""What is measured: the real model, prompts of known length, and the naive baselines."""

from collections.abc import Sequence
from pathlib import Path

import torch
from internal_physics.config.load import load_config
from internal_physics.config.prompts import Prompt, read_prompts
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.models.fetch import fetch
from internal_physics.models.loading import LoadedModel, LoadOptions
from internal_physics.recording.encoding import Encoded, encode
from internal_physics.recording.record import checked_model
from torch.autograd.graph import GradientEdge
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

ROOT = Path(__file__).parents[1]
_NOTHING = -100  # torch's number for a target that does not count


def snapshot() -> Path:
    """The default config's snapshot: a run's, or fetched once into .cache/benchmarks."""
    source = load_config(load_yaml(ROOT / "config.yaml")).sources["smollm2-fp32"]
    made = ROOT / "results" / "snapshots" / source.snapshot
    if not made.exists():
        made = ROOT / ".cache" / "benchmarks" / source.snapshot
    if not made.exists():
        fetch(source, made)
    return made


def load() -> LoadedModel:
    """SmolLM2-135M in float32 on the CPU."""
    labels = {"model": "smollm2", "condition": "baseline", "prompt_set": "benchmark"}
    return checked_model(snapshot(), LoadOptions(device="cpu"), labels)


def prompts(model: LoadedModel, set_name: str, n: int) -> list[Encoded]:
    """The first n prompts of a set, encoded."""
    return [encoded(model, p) for p in read_prompts(ROOT / "resources" / "prompts" / f"{set_name}.yaml")[:n]]


def encoded(model: LoadedModel, prompt: Prompt) -> Encoded:
    """One prompt, encoded."""
    return encode(prompt, model.tokenizer, model.task, model.context_length)


def usual_backward(model: LoadedModel, batch: list[Encoded]) -> None:
    """The naive baseline: each prompt on its own, gradients of all weights by autograd."""
    module = model.module.requires_grad_(True)
    for e in batch:
        module.zero_grad()
        ids = torch.tensor([e.ids])
        module(ids, labels=ids).loss.backward()
    module.zero_grad(set_to_none=True)
    module.requires_grad_(False)


def bare_pass(model: LoadedModel, batch: list[Encoded], size: int = 1, *, caught: Sequence[GradientEdge] = ()) -> None:
    """The floor: a forward and a backward pass to the embeddings with frozen weights, `size` prompts at a time.

    The loss is that of a record (the mean over the predicted tokens of each prompt, summed over prompts). Attention is
    computed as for a record, but its rows are not returned, and nothing is kept, but the gradients at the edges in
    `caught`, which is filled in the forward pass, until the end.
    """
    embedding = model.module.get_input_embeddings()
    embedded: list[torch.Tensor] = []
    handle = embedding.register_forward_hook(lambda _m, _a, output: embedded.append(output.requires_grad_(True)))
    for first in range(0, len(batch), size):
        ids, mask, targets = _padded(batch[first : first + size])
        logits = model.module(input_ids=ids, attention_mask=mask, use_cache=False).logits
        each = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        del logits
        loss = (each.view_as(targets).sum(dim=1) / (targets != _NOTHING).sum(dim=1)).sum()
        if caught:
            torch.autograd.grad(loss, [*caught, *embedded])
        else:
            loss.backward()
    handle.remove()


def _padded(batch: list[Encoded]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, mask and next tokens [b, t], padded on the right."""
    rows = [torch.tensor(e.ids) for e in batch]
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    following = [torch.cat([row[1:], torch.tensor([_NOTHING])]) for row in rows]
    return pad_sequence(rows, batch_first=True), mask, pad_sequence(following, batch_first=True, padding_value=_NOTHING)
