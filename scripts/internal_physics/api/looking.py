"""`ip.look`: the profile of one prompt, everything that a first look at a model needs, as plain rows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from internal_physics.api.checks import in_words, require_model, require_steering
from internal_physics.api.off_scale import remarks
from internal_physics.api.prompt_scores import block_rows, score_rows
from internal_physics.api.reading import Lens, lens
from internal_physics.api.recording import record
from internal_physics.api.trace import Trace
from internal_physics.config.prompts import Prompt
from internal_physics.families.gradient_flow.flow import gradient_flow
from internal_physics.families.residual_gain.residual_gain import residual_gain
from internal_physics.families.thermodynamics.thermodynamics import temperatures
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.status import value_status
from internal_physics.models.loading import LoadedModel
from internal_physics.models.weights import Weight, weights_of
from internal_physics.steering.intervention import Steering

N_LENS_TOKENS = 3  # of each residual


@dataclass(frozen=True, repr=False)
class Profile:
    """The profile of one prompt; every part is plain rows.

    Attributes:
        model: source, architecture, blocks, width, number formats.
        prompt: text, tokens, read position, answer, steering.
        scores: rows (quantity, meaning, value, status).
        residuals: a row for each residual l = 0..L: norms of residual and gradient, and the most probable tokens of the
            logit lens at the read position with the entropy in nats.
        blocks: a row for each block: gain (norm over all positions), relative_gradient_change, gradient_cosine.
        hottest, coldest: rows (parameter, layer, kind, temperature, weight_norm, gradient_norm, status). For its size,
            the prompt hardly pulls at a hot weight: T = ‖W‖ / ‖G‖.
        n_weights: how many weights there are.
        prediction: rows (token, id, probability); of a steered prompt with baseline_probability. Here and in the lens,
            the token is "" where the tokenizer has no text for it.
        flags: sentences about what is off scale, missing or to be read with care; empty if nothing is.
    """

    model: Mapping[str, Any]
    prompt: Mapping[str, Any]
    scores: list[dict[str, Any]]
    residuals: list[dict[str, Any]]
    blocks: list[dict[str, Any]]
    hottest: list[dict[str, Any]]
    coldest: list[dict[str, Any]]
    n_weights: int
    prediction: list[dict[str, Any]]
    flags: list[str]

    def __repr__(self) -> str:
        return f"Profile({self.prompt['text']!r}: {len(self.blocks)} blocks, {len(self.flags)} flags)"

    def to_dict(self) -> dict[str, Any]:
        """All parts as plain types."""
        return asdict(self)


@in_words
def look(
    model: LoadedModel,
    prompt: str | Prompt | Mapping[str, str],
    *,
    steering: Steering | None = None,
    n_weights: int = 5,
) -> Profile:
    """Record one prompt and profile it: gradient flow, residual gain, logit lens, temperatures, prediction, flags.

    Args:
        model: from `load`.
        prompt: a text, or a mapping with the fields of a prompt.
        steering: an intervention from `steer`; the prediction is then shown beside the one without it.
        n_weights: how many of the hottest and of the coldest weights are listed.

    Raises:
        ConfigError: for an invalid option.
        PromptError: for a prompt that cannot be run.
    """
    require_model(model, "look")
    require_steering(steering, "look")
    if isinstance(n_weights, bool) or not isinstance(n_weights, int) or n_weights < 1:
        raise ConfigError(f"found {n_weights!r:.60}", where="look → n_weights", expected="a whole number ≥ 1")
    trace = record(model, prompt, steering=steering, weight_gradients="norms")
    plain = record(model, prompt, weight_gradients="none", logits=True) if steering is not None else None
    read, weights = lens(trace, model), weight_norms(model)
    return _profile(trace, read, weights, model=_description(model), plain=plain, n_weights=n_weights)


def weight_norms(model: LoadedModel) -> pd.DataFrame:
    """One row per matrix as the model uses it: parameter, layer, kind, weight_norm (≥ 0, float64), status."""
    return pd.DataFrame([_norm_row(weight) for weight in weights_of(model.module, model.anatomy)])


def _norm_row(weight: Weight) -> dict[str, Any]:
    norm = float(weight.dense().double().norm())
    names = {"parameter": weight.parameter, "layer": weight.layer, "kind": weight.kind}
    return {**names, "weight_norm": norm, "status": value_status(norm, "the weight is not finite")}


def _profile(
    trace: Trace, read: Lens, weights: pd.DataFrame, *, model: Mapping[str, Any], plain: Trace | None, n_weights: int
) -> Profile:
    states = temperatures(trace, weights)
    usable = states[np.isfinite(states["temperature"].astype(float))].sort_values("temperature", kind="stable")
    listed = min(n_weights, len(usable) // 2) if len(usable) > 1 else len(usable)
    scores, blocks = list(score_rows(trace)), list(block_rows(trace))
    residuals = list(_residuals(trace, read))
    return Profile(
        model=model,
        prompt=_prompt(trace),
        scores=scores,
        residuals=residuals,
        blocks=blocks,
        hottest=_weight_rows(usable.iloc[::-1].head(listed)),
        coldest=_weight_rows(usable.head(listed)),
        n_weights=len(states),
        prediction=list(_prediction(trace, plain)),
        flags=remarks(trace, scores, blocks, residuals, states),
    )


def _description(model: LoadedModel) -> dict[str, Any]:
    labels = model.labels
    named = {key: str(labels[key]) for key in ("dtype", "quantization", "compute_dtype") if labels.get(key)}
    of = model.anatomy
    shape = {"architecture": of.architecture, "blocks": of.n_layers, "width": of.width, "task": model.task}
    return {"source": str(labels.get("model", "")), **shape, **named, "device": str(model.device)}


def _prompt(trace: Trace) -> dict[str, Any]:
    info = trace.info
    described = {"text": info.text, "tokens": list(info.tokens), "read_position": info.read_position}
    return {**described, "answer": info.answer, "steering": info.labels.get("steering")}


def _residuals(trace: Trace, read: Lens) -> Iterator[dict[str, Any]]:
    norms, gradients = residual_gain(trace).norms, gradient_flow(trace).norm
    entropies = read.entropy_nats[:, trace.info.read_position]
    for layer, (norm, gradient, entropy) in enumerate(zip(norms, gradients, entropies, strict=True)):
        listed = zip(read.layer_tokens[layer], read.layer_ids[layer], read.layer_probabilities[layer], strict=True)
        top = [{"token": str(text), "id": int(i), "probability": float(p)} for text, i, p in listed][:N_LENS_TOKENS]
        yield {
            "layer": layer,
            "residual_norm": float(norm),
            "gradient_norm": float(gradient),
            "entropy_nats": float(entropy),
            "top_tokens": top if np.isfinite(entropy) else [],
            "status": value_status(float(norm + gradient + entropy)),
        }


def _weight_rows(states: pd.DataFrame) -> list[dict[str, Any]]:
    names = ("parameter", "layer", "kind", "temperature", "weight_norm", "gradient_norm", "status")
    return [dict(zip(names, row, strict=True)) for row in _plain(states[list(names)].itertuples(index=False))]


def _plain(rows: Iterable[Iterable[Any]]) -> Iterator[list[Any]]:
    for row in rows:
        yield [value.item() if isinstance(value, np.generic) else value for value in row]


def _prediction(trace: Trace, plain: Trace | None) -> Iterator[dict[str, Any]]:
    before = None if plain is None else np.exp(plain.log_probabilities())
    for row in trace.logits.itertuples():
        beside = {} if before is None else {"baseline_probability": float(before[row.id])}
        found = {"token": str(row.token), "id": int(row.id), "probability": float(row.probability), **beside}
        yield found | {"status": value_status(float(row.probability))}
