"""Traces written by hand: small random numbers in the shape of a real record, without torch."""

import numpy as np
from internal_physics.records.info import ParameterInfo, TraceInfo, Use
from internal_physics.records.trace import GRADIENT_NORMS, SKETCHES, Key, Trace

WIDTH, N_LAYERS, N_TOKENS, N_VOCABULARY = 4, 2, 3, 7
EMBEDDING = ParameterInfo("embed.weight", (N_VOCABULARY, WIDTH), -1, False, (Use("embed", -1, True, "", 0),))
UP = ParameterInfo("up.weight", (6, WIDTH), 0, False, (Use("up", 0, False, "gate", 0),))
TRANSPOSED = ParameterInfo("conv.weight", (WIDTH, 6), 1, True, (Use("conv", 1, False, "conv", 1),))
PARAMETERS = (EMBEDDING, UP, TRANSPOSED)
SKETCH_SIZE = 64
PRECISION = {
    **{"dtype": "float32", "quantization": "nf4", "quantization_method": "bitsandbytes"},
    **{"bits": 4, "compute_dtype": "bfloat16"},
}
LABELS = {"model": "m", "condition": "baseline", "prompt_set": "s", **PRECISION}


def make_trace(prompt="p", *, keep="factors", dtype=np.float32, n_tokens=N_TOKENS, seed=0, labels=None, loss_nats=1.5):
    """A trace with residuals, and what `keep` (factors, sketch, norms or none) keeps of three weight gradients."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.standard_normal(shape).astype(dtype)

    tensors = {}
    for layer in range(N_LAYERS + 1):
        tensors[Key("residual", layer, "activation")] = draw(n_tokens, WIDTH)
        tensors[Key("residual", layer, "gradient")] = draw(n_tokens, WIDTH)
    tensors[Key("logits", N_LAYERS, "entropy_nats")] = draw()
    keepers = {"factors": _factors, "sketch": _sketches, "norms": _norms, "none": lambda *_: {}}
    tensors |= keepers[keep](draw, rng, n_tokens)
    info = TraceInfo(
        prompt=prompt,
        text="é\n text",
        token_ids=tuple(range(n_tokens)),
        tokens=("a",) * n_tokens,
        loss_nats=loss_nats,
        n_layers=N_LAYERS,
        width=WIDTH,
        task="causal",
        weight_gradients=keep,
        read_position=n_tokens - 1,
        parameters=() if keep == "none" else PARAMETERS,
        labels=LABELS if labels is None else labels,
        sketch_size=SKETCH_SIZE if keep == "sketch" else 0,
    )
    return Trace(info, tensors)


def _factors(draw, rng, n_tokens):
    return {
        Key("embed", -1, "ids"): rng.integers(0, N_VOCABULARY, n_tokens),
        Key("embed", -1, "output_gradient"): draw(n_tokens, WIDTH),
        Key("gate", 0, "input"): draw(n_tokens, WIDTH),
        Key("up", 0, "output_gradient"): draw(n_tokens, 6),
        Key("conv", 1, "input"): draw(n_tokens, WIDTH),
        Key("conv", 1, "output_gradient"): draw(n_tokens, 6),
    }


def _sketches(draw, _rng, _n_tokens):
    return {SKETCHES: draw(len(PARAMETERS), SKETCH_SIZE), GRADIENT_NORMS: np.abs(draw(len(PARAMETERS)))}


def _norms(draw, _rng, _n_tokens):
    return {Key(p.name, p.layer, "gradient_norm"): np.abs(draw()) for p in PARAMETERS}


def with_prediction(trace, logits=True, seed=0):
    """The trace with a prediction over five tokens."""
    values = np.random.default_rng(seed).normal(size=5)
    log_p = values - np.log(np.exp(values).sum())
    order = np.argsort(-log_p)[:3]
    trace.tensors[Key("logits", N_LAYERS, "top_ids")] = order
    trace.tensors[Key("logits", N_LAYERS, "top_log_probabilities")] = log_p[order]
    if logits:
        trace.tensors[Key("logits", N_LAYERS, "logits")] = values
    return trace
