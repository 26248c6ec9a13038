"""`ip.generate`: how a model continues a text, with or without steering."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import GenerationConfig

from internal_physics.api.checks import in_words, require_model, require_steering
from internal_physics.config.explain import require_options
from internal_physics.config.options.text import SpecialTokens, TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import ModelError, PromptError
from internal_physics.models.loading import LoadedModel
from internal_physics.models.stream import tap_stream
from internal_physics.recording.encoding import encode_prompts
from internal_physics.steering.intervention import Intervention, Steering

_RULES = {
    "max_new_tokens": {"type": "integer", "minimum": 1, "description": "how many tokens at most"},
    "sampling": {"type": "boolean", "description": "draw tokens instead of taking the most probable one"},
    "temperature": {"type": "number", "exclusiveMinimum": 0, "description": "logits are divided by it where sampling"},
    "seed": {"type": "integer", "minimum": 0, "description": "seed of the draw"},
}


@in_words
def generate(
    model: LoadedModel,
    text: str,
    *,
    steering: Steering | None = None,
    max_new_tokens: int = 20,
    sampling: bool = False,
    temperature: float = 1.0,
    seed: int = 0,
    special_tokens: SpecialTokens = TextOptions.special_tokens,
    chat_template: bool = TextOptions.chat_template,
) -> str:
    """Let a causal model continue a text, with the generation of transformers.

    Greedy by default, so that the same call gives the same text. Steering acts on the tokens of the text with its own
    token weights, as in `record`, and on every new token with the last of them.

    Args:
        model: from `load`.
        text: the text to continue.
        steering: an intervention from `steer`.
        max_new_tokens: largest number of new tokens; fewer if the model ends its text.
        sampling: draw tokens instead of taking the most probable one.
        temperature: logits are divided by it where `sampling`.
        seed: of the random draw; torch's global generator is not changed.
        special_tokens: as in `record`.
        chat_template: as in `record`.

    Returns:
        The new text alone.

    Raises:
        ConfigError, PromptError, ModelError: for an invalid option, an invalid text or a masked model.
    """
    require_model(model, "generate")
    given = {"max_new_tokens": max_new_tokens, "sampling": sampling, "temperature": temperature, "seed": seed}
    require_options(given, _RULES, "generate")
    require_steering(steering, "generate")
    if not isinstance(text, str):
        raise PromptError(f"{text!r:.60} is not text", where="generate → text", expected="one text")
    if model.task != "causal":
        raise ModelError("a masked model does not go on with a text", where="generate → model", expected="task: causal")
    how = TextOptions(special_tokens, chat_template)
    (encoded,) = encode_prompts(model, [Prompt("prompt", text)], how, needs_loss=False)
    ids = torch.tensor([encoded.ids], device=model.device)
    generation = _generation(model, max_new_tokens, sampling=sampling, temperature=temperature)
    with torch.random.fork_rng(), _steered(model, steering, len(encoded.ids)):
        torch.manual_seed(seed)
        module: Any = model.module
        out = module.generate(ids, attention_mask=torch.ones_like(ids), generation_config=generation)
    tokenizer: Any = model.tokenizer
    return str(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))


def _generation(model: LoadedModel, n: int, *, sampling: bool, temperature: float) -> GenerationConfig:
    """Plain decoding: of the checkpoint's own generation settings, only its end-of-text token is kept."""
    own = getattr(model.module, "generation_config", None)
    drawn = {"temperature": float(temperature), "top_k": 0, "top_p": 1.0} if sampling else {}
    end = None if own is None else own.eos_token_id
    return GenerationConfig(
        max_new_tokens=int(n), do_sample=sampling, eos_token_id=end, pad_token_id=model.pad_id, **drawn
    )


class _Continued:
    """Applies a Steering to a text and to every token after it: one pass over the text, then one token per pass."""

    def __init__(self, steering: Steering, n_tokens: int) -> None:
        self._of_text = Intervention(steering, [n_tokens], n_tokens)
        self._after = Intervention(Steering(steering.edits, steering.token_weights[-1:]), [1], 1)
        self._begun: set[int] = set()

    def __call__(self, hidden: torch.Tensor, layer: int) -> torch.Tensor:
        edit = self._after if layer in self._begun else self._of_text
        self._begun.add(layer)
        return edit(hidden, layer)


@contextmanager
def _steered(model: LoadedModel, steering: Steering | None, n_tokens: int) -> Iterator[None]:
    """The model with the residual stream changed before every block, and after the last."""
    if steering is None:
        yield
        return
    edit, stream = _Continued(steering, n_tokens), model.anatomy.stream

    def change(hidden: torch.Tensor, layer: int) -> torch.Tensor:
        return stream.change(hidden, n_tokens, lambda residual: edit(residual, layer))

    anatomy, module = model.anatomy, model.module
    handles = tap_stream(anatomy.entries(module), anatomy.blocks(module), anatomy.n_layers, change)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
