"""Which tokens a token sees: in a causal model only those before it, in a masked model all; any other model is refused.

The proof is a gradient. The residual of token t after the last block is differentiated, and the gradients at each
token's embedding are compared. A token that t does not see gets exactly zero, in every number format: its weight in the
attention is zero, and a product with zero has no rounding. So it holds for LLM.int8 too, where a changed
later token may move earlier residuals by rounding, since outlier columns are found over all tokens of a pass.
"""

import torch

from internal_physics.ground.errors import SEE_ARCHITECTURES, ArchitectureError
from internal_physics.models.heads import HEADS
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.flow import Call, Flow

# Relative to what reaches the token's own embedding. Found on 17 architectures in seven number formats: exactly 0 for a
# token that is not seen, 7e-3 or more for one that is; a long convolution by FFT would leak about 1e-7.
FAINT = 1e-5
CAUSAL, MASKED = "causal", "masked"


def sight(hidden: torch.Tensor, flow: Flow, tokens: Call | None = None) -> str | None:
    """How the tokens of one prompt see each other: causal, masked (each sees all), or None for neither.

    Args:
        hidden: [1, t, d], what leaves the last block, in the graph of the pass, t ≥ 3; the graph is kept.
        flow: of the taps that watched the pass; it is left without residual gradients.
        tokens: the look-up whose rows are the tokens' embeddings, where those do not enter the first block: in an
            encoder-decoder, whose blocks are the decoder's, they enter the encoder.
    """
    n_tokens = hidden.shape[1]
    later = [_seen(hidden, flow, tokens, position)[position + 1 :] for position in (0, n_tokens - 2)]
    seen = torch.cat(later)
    return MASKED if seen.all() else None if seen.any() else CAUSAL


def require_task(model: LoadedModel, sight_of_model: str | None) -> None:
    """Refuse a model whose tokens do not see each other as its task requires.

    Raises:
        ArchitectureError: with the task to set, or a note that neither fits.
    """
    if sight_of_model == model.task:
        return
    what, expected = {
        MASKED: ("this model sees later tokens", "a causal model: a token sees those before it"),
        CAUSAL: ("this model does not see later tokens", "a masked model: a token sees all others"),
        None: (
            "some tokens of this model see later ones and some do not: it is neither causal nor masked",
            "a causal or a masked language model",
        ),
    }[sight_of_model]
    where = f"{model.anatomy.architecture}, task: {model.task}"
    raise ArchitectureError(what, where=where, expected=expected, todo=_todo(model, sight_of_model))


def _todo(model: LoadedModel, task: str | None) -> str:
    """The task to set, if transformers has a class for it."""
    if task is None:
        return f"models of prefixes or of blocks of tokens are not supported: {SEE_ARCHITECTURES}"
    if type(model.module.config) in HEADS[task]._model_mapping:
        return f"set task: {task}"
    return f"transformers has no {task} class of this type: {SEE_ARCHITECTURES}"


def token_rows(flow: Flow, ids: torch.Tensor) -> Call | None:
    """The look-up of the very ids [1, t] of a prompt: a decoder looks up others, shifted by one."""
    return next((c for c in flow.calls if c.map.lookup and torch.equal(c.caught_input, ids[0])), None)


def _seen(hidden: torch.Tensor, flow: Flow, tokens: Call | None, position: int) -> torch.Tensor:
    """Whether the token at a position sees each token, [t]."""
    pull = torch.zeros_like(hidden)
    pull[0, position] = torch.cos(torch.arange(hidden.shape[-1], device=hidden.device))  # a norm cancels constants
    hidden.backward(pull, retain_graph=True)
    found = flow.residual_gradient.get(0, torch.zeros_like(hidden))[0]
    if tokens is not None and tokens.output_gradient is not None:
        found, tokens.output_gradient = tokens.output_gradient, None
    reaching = found.double().norm(dim=-1)
    flow.residual_gradient.clear()
    return reaching > FAINT * reaching[position]
