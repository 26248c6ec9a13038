"""`ip.kernel` and `ip.first_order_change`: which prompts pull a model in the same direction, and how far."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING

from internal_physics.api.checks import in_words, require_trace
from internal_physics.families.kernel.first_order import loss_changes_nats
from internal_physics.families.kernel.sketched import sketched_kernel
from internal_physics.families.kernel.tangent_kernel import TangentKernel, cosine_kernel, name_of, tangent_kernel
from internal_physics.ground.errors import ConfigError, PromptError, StoreError
from internal_physics.ground.suggest import did_you_mean
from internal_physics.records.targets import target_in_words
from internal_physics.records.trace import Trace

if TYPE_CHECKING:
    import pandas as pd


@in_words
def kernel(traces: Sequence[Trace]) -> TangentKernel:
    """The tangent kernel of the loss between the prompts of a model: inner products of their gradients.

    Args:
        traces: of one model, with weight_gradients factors (exact) or sketch (estimated, with standard errors).

    Returns:
        `.prompts`, [N] pairs of prompt set and name; `.matrix()`, [N, N] in nats² per squared weight, over all recorded
        weights, or `.matrix(layer=3, kind="up")`; `.cosines()` likewise, in [-1, 1]; `.standard_error()`; `.layers` and
        `.kinds` that there are.

    Raises:
        StoreError: for no traces, traces of different models, or without factors and sketches.
    """
    traces = _traces(traces, "kernel")
    has_sketches = any(trace.info.weight_gradients == "sketch" for trace in traces)
    return sketched_kernel(traces) if has_sketches else tangent_kernel(traces)


@in_words
def first_order_change(traces: Sequence[Trace], step_on: str, step_size: float) -> "pd.DataFrame":
    """Predict what one gradient step on one prompt does to the loss of every prompt: −η·K(p, q).

    The step is θ ← θ − η·∂loss_q/∂θ on all recorded weights. The prediction is of first order: its error falls as η².

    Args:
        traces: as for `kernel`.
        step_on: name of the prompt q, one of the traces'.
        step_size: η, in squared weights per nat; above 0.

    Returns:
        Rows (prompt_set, prompt, loss_nats, change_nats, standard_error_nats, cosine), in the order of the traces. A
        negative change: the step lowers this prompt's loss too.

    Raises:
        PromptError: if no trace, or more than one, has this name.
        ConfigError: for a step size that is not a finite number above 0.
        StoreError: as for `kernel`, and for records whose gradients are not those of the loss.
    """
    import pandas as pd  # noqa: PLC0415

    traces = _traces(traces, "first_order_change")
    for trace in traces:
        _require_loss(trace)
    found = kernel(traces)
    q = _place(found, step_on)
    if not (isinstance(step_size, Real) and math.isfinite(step_size) and step_size > 0):
        raise ConfigError(f"step_size is {step_size!r}", where="first_order_change", expected="a finite number above 0")
    matrix = found.matrix()
    frame = pd.DataFrame(list(map(name_of, traces)), columns=["prompt_set", "prompt"]).assign(
        loss_nats=[trace.loss_nats for trace in traces],
        change_nats=loss_changes_nats(matrix, q, step_size),
        standard_error_nats=step_size * found.standard_error()[:, q],
        cosine=cosine_kernel(matrix)[:, q],
    )
    frame.attrs["units"] = dict.fromkeys(("loss_nats", "change_nats", "standard_error_nats"), "nats")
    return frame


def _traces(given: Sequence[Trace], where: str) -> list[Trace]:
    """The traces as a list, whatever they come in; at least one."""
    if isinstance(given, Trace):
        raise StoreError(
            "found one Trace", where=where, expected="a list of traces", todo="put it into brackets: [trace]"
        )
    traces = list(given)
    if not traces:
        raise StoreError("found no traces", where=where, expected="at least one", todo="record prompts with ip.record")
    for i, trace in enumerate(traces):
        require_trace(trace, f"{where} → {i}")
    return traces


def _require_loss(trace: Trace) -> None:
    if trace.info.target != "loss":
        raise StoreError(
            f"the gradients of {trace.info.prompt!r} are those of the {target_in_words(trace.info)}",
            where="first_order_change",
            expected="gradients of the loss, since a step is one on the loss",
            todo="record the prompts again with target: loss",
        )


def _place(found: TangentKernel, step_on: str) -> int:
    names = [name.prompt for name in found.prompts]
    if names.count(step_on) != 1:
        raise PromptError(
            f"{names.count(step_on) or 'no'} traces have the name {step_on!r}",
            where="first_order_change → step_on",
            expected="the name of one of the traces' prompts",
            todo=did_you_mean(step_on, names, cutoff=0.5),
        )
    return names.index(step_on)
