"""Options of recording. No heavy imports."""

from dataclasses import dataclass
from typing import Literal

from internal_physics.ground.errors import ConfigError
from internal_physics.ground.options import Count, NaturalNumber

WeightGradients = Literal["factors", "sketch", "norms", "none"]
SketchSize = Literal[64, 256, 1024, 4096]
Target = Literal["loss", "logit", "log_probability"]


@dataclass(frozen=True)
class RecordOptions:
    """How prompts are run and what is kept of each.

    Attributes:
        weight_gradients: what is kept of the gradients of the weights. A prompt set may set its own.
            - factors: the exact gradients, factored; about 1.2 MB per token on a model of 135M parameters.
            - sketch: a few numbers of each gradient, from which inner products between prompts are estimated, and its
              exact norm.
            - norms: the exact norm of each parameter's gradient.
            - none: nothing.
        sketch_size: numbers in the sketch of each weight. The error of an estimated inner product falls with its square
            root; time and disk grow with it. Below: standard error
            of the cosine of two prompts, and size per prompt, of a model of 135M parameters, measured for 256 and
            scaled for the others.
            - 64: 0.06; 0.05 MB.
            - 256: 0.03; 0.2 MB.
            - 1024: 0.015; 0.9 MB.
            - 4096: 0.008; 3.5 MB.
        sketch_seed: of the random projections. Only sketches of one size and seed can be compared, whichever jobs,
            conditions, checkpoints or precisions they come from.
        target: the number of each prompt whose gradients are recorded. The loss is recorded in any case.
            - loss: of a causal model the mean negative log-likelihood of its next tokens, over all positions that
              have one; of a masked model that of the answer at the [MASK]. In nats.
            - logit: the logit of one token at the read position (the last token, or the [MASK]), as the model computed
              it.
            - log_probability: the natural logarithm of that token's probability, in nats.
        target_token: the token of logit and log_probability, for every prompt: a text that is one token of each model,
            with the space before a word. Empty: the first token of the prompt's `answer`, or, where it has none, the
            model's own most probable token.
        batch_size: largest number of prompts per forward and backward pass. Changes speed and memory; results change
            only by rounding.
        batch_tokens: largest number of tokens per pass, padding included; a longer prompt runs alone. Memory grows with
            it.
        recompute: compute each block a second time in the backward pass instead of keeping its activations. Slower by
            a forward pass, but memory holds the activations of one block instead of all. For prompts of thousands of
            tokens, with weight_gradients sketch, norms or none.
        attention_entropy: keep the entropy of every attention row. Needs eager attention; false uses the faster sdpa.
        top_k: how many of the most probable next tokens are kept with each prompt.
        logits: keep the whole prediction of each prompt, one number for each token of the vocabulary, which the exact
            KL divergence between models needs. About 0.2 MB per prompt for a vocabulary of 50,000 tokens.
    """

    weight_gradients: WeightGradients = "factors"
    sketch_size: SketchSize = 256
    sketch_seed: NaturalNumber = 0
    target: Target = "loss"
    target_token: str = ""
    batch_size: Count = 16
    batch_tokens: Count = 1024
    recompute: bool = False
    attention_entropy: bool = True
    top_k: Count = 10
    logits: bool = True


def refuse_unused_token(target: Target, token: str, where: str) -> None:
    """Refuse a target_token that the target does not use.

    Raises:
        ConfigError: naming both.
    """
    if target == "loss" and token:
        raise ConfigError(
            f"target_token {token!r} and target: loss, which is that of the whole text",
            where=where,
            expected="target: logit or log_probability",
            todo="set record.target, or leave out target_token",
        )
