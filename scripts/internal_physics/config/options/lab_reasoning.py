"""Options of the lab's experiment `reasoning`: the data of an arm, and what is measured on it. No heavy imports."""

from dataclasses import dataclass
from typing import Annotated, Literal

from internal_physics.ground.options import Count, NaturalNumber, PositiveNumber, Range, Size

ProbeTask = Literal["needed", "can_be_next", "needed_next", "depends", "known", "value"]
RetryKind = Literal["retry", "retry_weak", "retry_miss"]


@dataclass(frozen=True)
class ReasoningData:
    """Fresh random problems at every step, each with a shortest solution; only the solution has a loss.

    A problem has one sentence for each parameter, which is the sum of two others or numbers, modulo 5.

    Attributes:
        operations: the largest number of parameters that the answer needs; each from 1 on is equally likely.
            Probes and signals ask about problems of 2 and more.
        parameters: the largest number of parameters of a problem, at most 12; more than `operations`.
        steps: of the training.
        problems_per_step: of a training step.
        skipped_steps: training steps of other problems before the first; for an arm that goes on from another.
        retry_rate: probability, before each step of a solution and again after each time, of a wrong parameter that is
            taken back.
        retry_kind: what such a wrong parameter is.
            - retry: one that cannot be computed yet.
            - retry_weak: this step's or a later one's of the solution.
            - retry_miss: any that is not computed yet.
        masks_retries: whether the names of wrong parameters have no loss.
    """

    operations: Annotated[int, Range(minimum=2)] = 4
    parameters: Annotated[int, Range(minimum=2, below=13)] = 7
    steps: Count = 2500
    problems_per_step: Count = 32
    skipped_steps: NaturalNumber = 0
    retry_rate: Annotated[float, Range(minimum=0, below=1)] = 0.0
    retry_kind: RetryKind = "retry"
    masks_retries: bool = True


@dataclass(frozen=True)
class ReasoningMeasures:
    """What is measured on a model that was trained on problems.

    Attributes:
        n_problems: fresh problems for each number of operations, up to one more than in training.
        n_along: fresh problems for each number of operations of training, at every snapshot.
        n_prefixes: beginnings of right solutions, for each number of operations from 2 on, after which the model is
            shown a parameter and may take it back. An AUC of 400 near 0.9 has a standard error of about 0.015.
        probe_tasks: what probes ask about a parameter, on arms that begin with random weights and have no retries.
            - needed: whether the answer needs it; at the end of the question.
            - can_be_next: whether it can be computed now; after some steps of a right solution.
            - needed_next: both; after some steps.
            - depends: whether it depends on another one, directly or through others; before the question.
            - known: whether it was computed; after some steps.
            - value: its value, or that it has none yet; after some steps.
        probe_layers: after which blocks a probe asks whether the answer needs a parameter.
            - last: the last one, as all tasks do.
            - all: also each by itself, judged by the parameter's distance from the query.
        probe_rank: of the change of the embedding with which a probe asks about a parameter.
        probe_steps: training steps of a probe.
        probe_items: items of a step.
        probe_learning_rate: the first; it falls along a line to 0.
        probe_judged: items on which a probe is judged.
    """

    n_problems: Count = 256
    n_along: Count = 32
    n_prefixes: Count = 1600
    probe_tasks: Annotated[tuple[ProbeTask, ...], Size(1, unique=True)] = ("needed", "can_be_next")
    probe_layers: Literal["last", "all"] = "last"
    probe_rank: Count = 8
    probe_steps: Count = 400
    probe_items: Count = 48
    probe_learning_rate: PositiveNumber = 5e-3
    probe_judged: Count = 1024
