"""What the sweep found out about one class, and how two findings compare."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

# From best to worst. "not run": transformers itself fails, or a package is missing; nothing is said of the class.
WORKS, PARTLY, REFUSED, WRONG, NOT_RUN = "works", "partly", "refused", "wrong", "not run"
_RANK = {WORKS: 0, PARTLY: 1, REFUSED: 2, NOT_RUN: 2, WRONG: 3}
# Relative, by the number format of the comparison. Real mistakes are off by per cents. Seen: 1e-14 and 1e-6.
TOLERANCE = {"float64": 1e-8, "float32": 1e-4}
_SHARE_DIGITS = 4


@dataclass(frozen=True)
class Outcome:
    """One class.

    Attributes:
        model_type: as in config.json.
        task: causal or masked.
        architecture: the class of the model.
        outcome: works, partly, refused, wrong or not run.
        reason: why, where it is not "works": the message of the refusal, or what transformers raises.
        dtype: number format of the comparison.
        covered: share of the numbers in parameters of two or more dimensions that take part in the loss, whose
            gradients are recorded; None where nothing was recorded.
        left_out: names of the parameters that are not covered, with stars for numbers.
        norm_error: largest difference of a gradient's norm from autograd's, relative.
        product_error: largest difference of an inner product of two prompts' gradients, relative to their norms.
        batch_error: largest difference between a prompt in a batch and the same prompt alone, relative: over losses,
            residuals, their gradients and norms.
        readout_error: largest difference of the readout of the last residual from the logits, relative.
    """

    model_type: str
    task: str
    architecture: str
    outcome: str
    reason: str = ""
    dtype: str = ""
    covered: float | None = None
    left_out: tuple[str, ...] = field(default=())
    norm_error: float | None = None
    product_error: float | None = None
    batch_error: float | None = None
    readout_error: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What identifies a class: (model type, task)."""
        return self.model_type, self.task

    def to_json(self) -> dict[str, Any]:
        """Plain types; errors with two digits, shares with four."""
        raw = {name: value for name, value in asdict(self).items() if value not in (None, "", ())}
        for name in ("norm_error", "product_error", "batch_error", "readout_error"):
            if name in raw:
                raw[name] = float(f"{raw[name]:.1e}")
        if "covered" in raw:
            raw["covered"] = round(raw["covered"], _SHARE_DIGITS)
        return raw

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "Outcome":
        """The inverse of `to_json`, up to rounding."""
        return cls(**{**raw, "left_out": tuple(raw.get("left_out", ()))})


def judge(covered: float, errors: Iterable[float], dtype: str) -> str:
    """Outcome of a class that was recorded: wrong where an error is above the tolerance or is no number."""
    if not all(error <= TOLERANCE[dtype] for error in errors):
        return WRONG
    return WORKS if covered == 1.0 else PARTLY


def got_worse(before: Outcome, now: Outcome) -> str:
    """In one sentence what is worse now; "" where nothing is."""
    if _RANK[now.outcome] > _RANK[before.outcome]:
        return f"{now.model_type} ({now.task}) was {before.outcome} and is {now.outcome}: {now.reason}"
    if before.covered is not None and (now.covered or 0.0) < before.covered - 10**-_SHARE_DIGITS:
        lost = sorted(set(now.left_out) - set(before.left_out))
        return f"{now.model_type} ({now.task}) covered {before.covered} and covers {now.covered}: {', '.join(lost)}"
    return ""
