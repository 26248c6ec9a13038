"""`ip.record`: texts or prompts → traces."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from internal_physics.api.checks import in_words, record_options, require_model, require_steering
from internal_physics.api.trace import Trace
from internal_physics.config.options.record import RecordOptions, SketchSize, Target, WeightGradients
from internal_physics.config.options.text import SpecialTokens, TextOptions
from internal_physics.config.prompts import Prompt, parse_prompts
from internal_physics.ground.errors import PromptError
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.encoding import encode_prompts
from internal_physics.recording.recorder import record_batches
from internal_physics.records import trace as records
from internal_physics.steering.intervention import Steering

PromptLike = str | Prompt | Mapping[str, str]
_EXPECTED = "a text, a mapping with `text` (and `name`, `answer`, `kind`), or a list of them"


@in_words
def record(
    model: LoadedModel,
    prompts: PromptLike | Iterable[PromptLike],
    *,
    steering: Steering | None = None,
    weight_gradients: WeightGradients = RecordOptions.weight_gradients,
    sketch_size: SketchSize = RecordOptions.sketch_size,
    sketch_seed: int = RecordOptions.sketch_seed,
    target: Target = RecordOptions.target,
    target_token: str = RecordOptions.target_token,
    batch_size: int = RecordOptions.batch_size,
    batch_tokens: int = RecordOptions.batch_tokens,
    recompute: bool = RecordOptions.recompute,
    attention_entropy: bool = RecordOptions.attention_entropy,
    top_k: int = RecordOptions.top_k,
    logits: bool = RecordOptions.logits,
    special_tokens: SpecialTokens = TextOptions.special_tokens,
    chat_template: bool = TextOptions.chat_template,
) -> Any:
    """Record one prompt, or several in batches. Each option is described in docs/options.md, under `record`.

    Args:
        model: from `load`.
        prompts: a text; a mapping with the fields of a prompt (`text`, and optionally `name`, `answer`, `kind`,
            `difficulty`, `expectation`, `reason`); or a list of texts and mappings. A prompt without a name is named
            by its place: prompt_0, prompt_1, …
        steering: an intervention from `steer`, which the records then contain.
        weight_gradients: factors (exact), sketch, norms or none.
        sketch_size: numbers in the sketch of each weight.
        sketch_seed: of the random projections; only sketches of one size and seed can be compared.
        target: what the gradients are of: loss, or logit or log_probability of one token at the read position.
        target_token: that token, a text; empty for the first of a prompt's answer, else the model's own best.
        batch_size: largest number of prompts per pass.
        batch_tokens: largest number of tokens per pass, padding included.
        recompute: compute each block a second time in the backward pass, to save memory.
        attention_entropy: keep the entropy of every attention row.
        top_k: how many of the most probable next tokens are kept.
        logits: keep the whole prediction, which the exact KL divergence needs.
        special_tokens: tokenizer, none or explicit.
        chat_template: put the text into the chat template of the tokenizer.

    Returns:
        A Trace for one prompt, a list of Traces in the order of the prompts for a list.

    Raises:
        ConfigError: for an invalid option.
        PromptError: for a prompt that cannot be run.
    """
    require_model(model, "record")
    given = {
        "weight_gradients": weight_gradients,
        "sketch_size": sketch_size,
        "sketch_seed": sketch_seed,
        "target": target,
        "target_token": target_token,
        "batch_size": batch_size,
        "batch_tokens": batch_tokens,
        "recompute": recompute,
        "attention_entropy": attention_entropy,
        "top_k": top_k,
        "logits": logits,
        "special_tokens": special_tokens,
        "chat_template": chat_template,
    }
    options, text = record_options(given, "record")
    require_steering(steering, "record")
    is_one = isinstance(prompts, str | Prompt | Mapping)
    asked = read_prompts([prompts] if is_one else prompts)
    traces = _record(model, asked, options, text, steering)
    return traces[0] if is_one else traces


def _record(
    model: LoadedModel, prompts: list[Prompt], options: RecordOptions, text: TextOptions, steering: Steering | None
) -> list[Trace]:
    encoded = encode_prompts(model, prompts, text, needs_loss=options.target == "loss")
    labels = {**model.labels, **asdict(text)}
    if steering is not None:
        labels |= {"condition": "steered", "steering": steering.description}
    found = record_batches(replace(model, labels=labels), encoded, options, steering)
    traces = {trace.info.prompt: trace for trace in found}
    return [_with_notes(traces[prompt.name], prompt) for prompt in prompts]


def _with_notes(trace: records.Trace, prompt: Prompt) -> Trace:
    """The trace with the prompt's kind and difficulty, if given, added to its labels."""
    notes = {key: value for key in ("kind", "difficulty") if (value := getattr(prompt, key))}
    return Trace(replace(trace.info, labels={**trace.info.labels, **notes}), trace.tensors)


def read_prompts(given: Any) -> list[Prompt]:
    """Texts, mappings and prompts as checked prompts; those without a name are named by their place.

    Raises:
        PromptError: for a value that is not a prompt, or a name that is used twice.
    """
    if not isinstance(given, Iterable):
        raise PromptError(f"{given!r} is not text", where="record → prompts", expected=_EXPECTED)
    entries = [_entry(prompt, i) for i, prompt in enumerate(given)]
    return parse_prompts(entries, "record → prompts") if entries else []


def _entry(prompt: Any, i: int) -> dict[str, Any]:
    if isinstance(prompt, Prompt):
        return prompt.to_json()
    if isinstance(prompt, Mapping):
        return {"name": f"prompt_{i}", **{key: value for key, value in prompt.items() if value is not None}}
    if not isinstance(prompt, str):
        raise PromptError(f"{prompt!r:.60} is not text", where=f"record → prompts → {i}", expected=_EXPECTED)
    return {"name": f"prompt_{i}", "text": prompt}
