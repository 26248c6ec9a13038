"""Options of the thermodynamics of the weights. No heavy imports."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from internal_physics.ground.options import NonNegativeNumber, PositiveNumber, Range

Order = Literal["depth", "name"]
FlagMethod = Literal["z_score", "fixed"]


@dataclass(frozen=True)
class FlagRules:
    """When a weight is flagged; the defaults are the published ones.

    Attributes:
        flags: how susceptibility and compressibility are flagged.
            - z_score: against the other weights of the sequence, on the same prompt.
            - fixed: by thresholds.
        latent_heat_max_d_temperature: a latent-heat jump has |dT| below this.
        latent_heat_min_d_energy: a latent-heat jump has |dE| above this.
        susceptibility_sigmas: with z_score, susceptibility diverges beyond this many sample standard deviations.
        compressibility_sigmas: with z_score, compressibility is high beyond this many sample standard deviations.
        susceptibility_threshold: with fixed, susceptibility diverges above this magnitude.
        compressibility_threshold: with fixed, compressibility is high above this magnitude.
    """

    flags: FlagMethod = "z_score"
    latent_heat_max_d_temperature: NonNegativeNumber = 0.01
    latent_heat_min_d_energy: NonNegativeNumber = 5
    susceptibility_sigmas: PositiveNumber = 3
    compressibility_sigmas: PositiveNumber = 2
    susceptibility_threshold: NonNegativeNumber = 0.001
    compressibility_threshold: NonNegativeNumber = 0.3

    def __post_init__(self) -> None:
        if self.flags not in get_args(FlagMethod):
            raise ValueError(f"flags is {self.flags!r}: expected one of {', '.join(get_args(FlagMethod))}")


@dataclass(frozen=True)
class PhaseOptions(FlagRules):
    """How derivatives along depth are taken, weights are flagged and change points are found.

    Attributes:
        order: what the neighbours of a weight are, for a derivative.
            - depth: the same map in the layers above and below.
            - name: the weights before and after it, all sorted by name as text (as published; layer 10 follows
              layer 1).
        n_permutations: shuffles of the layers that say how many flags chance would give.
        change_penalty: what a change point must save, in units of its degrees of freedom times ln(number of layers);
            a larger one finds fewer.
    """

    order: Order = "depth"
    n_permutations: Annotated[int, Range(minimum=19)] = 999
    change_penalty: PositiveNumber = 2
