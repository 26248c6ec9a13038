"""Residuals and their gradients at every block, one prompt at a time: nnsight and TransformerLens beside ours.

All compute the loss of a record (the mean over predicted tokens) with frozen weights and the same attention.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from internal_physics.config.options.record import RecordOptions
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.recorder import record_batches
from torch.nn import functional
from transformers import AutoModelForCausalLM

from benchmarks.subjects import bare_pass, snapshot

States = tuple[list[torch.Tensor], list[torch.Tensor]]  # residuals 0..L and their gradients, each [T, d]
MOST_DIFFERENCE = 1e-4  # relative, of a gradient in float32 by another order of operations


def contestants(model: LoadedModel, batch: Sequence[Encoded]) -> dict[str, Callable[[], object]]:
    """Name → a run of all prompts, one at a time; every peer is first compared with ours on the first prompt."""
    peers = {"nnsight": nnsight_states(model), "TransformerLens": transformer_lens_states()}
    for name, states in peers.items():
        _require_equal(name, states(batch[0]), our_states(model, batch[0]))
    ours = {mode: RecordOptions(weight_gradients=mode, batch_size=1) for mode in ("none", "factors")}
    ours["states"] = replace(ours["none"], attention_entropy=False)
    return {
        "bare": lambda: bare_pass(model, list(batch)),
        **{mode: lambda own=own: [None for _ in record_batches(model, batch, own)] for mode, own in ours.items()},
        **{name: lambda states=states: [states(e) for e in batch] for name, states in peers.items()},
    }


def our_states(model: LoadedModel, encoded: Encoded) -> States:
    """Of a record."""
    (trace,) = record_batches(model, [encoded], RecordOptions(weight_gradients="none"))
    positions = range(trace.n_layers + 1)
    residuals = [torch.as_tensor(trace.residual(layer)) for layer in positions]
    return residuals, [torch.as_tensor(trace.residual_gradient(layer)) for layer in positions]


def nnsight_states(model: LoadedModel) -> Callable[[Encoded], States]:
    """Inputs of all blocks and the output of the last one, in a tracing context with a backward context inside."""
    from nnsight import LanguageModel

    traced: Any = LanguageModel(_frozen(), tokenizer=model.tokenizer)

    def states(encoded: Encoded) -> States:
        ids, gradients, residuals = torch.tensor([encoded.ids]), [], []
        with traced.trace(ids):
            stream = [traced.model.embed_tokens.output]
            stream[0].requires_grad_(True)
            for layer in traced.model.layers:
                stream.append(layer.output)
            with _loss(traced.lm_head.output, ids).backward():
                for residual in reversed(stream):
                    gradients.append(residual.grad[0].save())
            for residual in stream:
                residuals.append(residual[0].detach().save())
        return residuals, gradients[::-1]

    return states


def transformer_lens_states() -> Callable[[Encoded], States]:
    """The same by hooks of a TransformerBridge, forwards and backwards."""
    from transformer_lens.model_bridge import TransformerBridge

    folder = str(snapshot())
    bridge: Any = TransformerBridge.boot_transformers(folder, hf_model=_frozen(), dtype=torch.float32, device="cpu")
    names = [f"blocks.{layer}.hook_in" for layer in range(bridge.cfg.n_layers)]
    names.append(f"blocks.{bridge.cfg.n_layers - 1}.hook_out")

    def states(encoded: Encoded) -> States:
        ids, found, gradients = torch.tensor([encoded.ids]), {}, {}

        def keep(residual: torch.Tensor, hook: Any) -> torch.Tensor:
            if not residual.requires_grad:
                residual.requires_grad_(True)
            found[hook.name] = residual[0].detach()
            return residual

        def keep_gradient(gradient: torch.Tensor, hook: Any) -> None:
            gradients[hook.name] = gradient[0].detach()

        forward, backward = ([(name, kept) for name in names] for kept in (keep, keep_gradient))
        with bridge.hooks(fwd_hooks=forward, bwd_hooks=backward):
            _loss(bridge(ids, return_type="logits"), ids).backward()
        return [found[name] for name in names], [gradients[name] for name in names]

    return states


def _frozen() -> Any:
    module = AutoModelForCausalLM.from_pretrained(snapshot(), dtype=torch.float32, attn_implementation="eager")
    return module.eval().requires_grad_(False)


def _loss(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits[0, :-1], ids[0, 1:])


def _require_equal(name: str, theirs: States, ours: States) -> None:
    for kind, found, expected in zip(("residuals", "gradients"), theirs, ours, strict=True):
        worst = max(float((f - e).norm() / e.norm()) for f, e in zip(found, expected, strict=True))
        if worst > MOST_DIFFERENCE:
            raise ValueError(f"the {kind} of {name} differ from ours by {worst:.1e}")
