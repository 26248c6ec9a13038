"""Options of a condition: what is added to the residual stream, and where it is recorded. No heavy imports."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from internal_physics.ground.options import Pattern, Size

Method = Literal["mean_difference", "principal_component"]
SomeText = Annotated[str, Pattern(r"\S")]


@dataclass(frozen=True)
class ContrastOptions:
    """A direction derived from texts: one vector per layer, read at their last token (or their [MASK]).

    Attributes:
        positive: texts to steer towards.
        negative: texts to steer away from.
        method: how the texts give a direction.
            - mean_difference: the mean over the positive texts minus the mean over the negative ones.
            - principal_component: the first principal component of the differences between paired texts. It points
              towards the positive texts; its length is the mean difference along it.
    """

    positive: Annotated[tuple[SomeText, ...], Size(1)]
    negative: Annotated[tuple[SomeText, ...], Size(1)]
    method: Method = "mean_difference"


@dataclass(frozen=True)
class SteeringOptions:
    """What a condition adds to the residual stream: everything that a record depends on.

    Attributes:
        vector: the direction as numbers; repeated to the width of the residual stream where it is shorter.
        file: the direction from a .safetensors or .pt file (one vector, or one per layer), or per hookpoint from a .pt
            or .csv file as the steered model of lm-evaluation-harness takes it.
        scale: factor of the direction at every layer and token.
        layers: where it is added, l = 0..L. It is added to what enters block l, and at L to what leaves the last block.
            A list, or a mapping from layer to weight. If it is not given: every block, or the layers that the file
            names.
        tokens: weights from the first to the last token, interpolated linearly over each prompt. If they are not
            given: 1 everywhere.
    """

    EXACTLY_ONE: ClassVar = ("vector", "file", "contrast")

    vector: Annotated[tuple[float, ...] | None, Size(1)] = None
    file: str | None = None
    contrast: ContrastOptions | None = None
    scale: float = 1
    layers: Annotated[tuple[int, ...] | Mapping[int, float] | None, Size(1)] = None
    tokens: Annotated[tuple[float, ...] | None, Size(1)] = None


@dataclass(frozen=True)
class ConditionOptions(SteeringOptions):
    """A mapping with `vector`, `file` or `contrast`, and where and how strongly it acts.

    Attributes:
        models: the models it is recorded on. If they are not given: all.
        prompt_sets: the prompt sets it is recorded on. If they are not given: all.
    """

    models: Annotated[tuple[str, ...] | None, Size(1, unique=True)] = None
    prompt_sets: Annotated[tuple[str, ...] | None, Size(1, unique=True)] = None
