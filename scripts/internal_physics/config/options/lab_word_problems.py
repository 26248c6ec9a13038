"""Options of the lab's experiment `word_problems`: the data of an arm, and what is measured on it. No heavy imports."""

from dataclasses import dataclass
from typing import Annotated, Literal

from internal_physics.config.options.lab_reasoning import ProbeTask, RetryKind
from internal_physics.ground.options import Count, NaturalNumber, PositiveNumber, Range, Size


@dataclass(frozen=True)
class WordProblemsData:
    """English problems of the training templates, each followed by its solution, in windows of equal length.

    Attributes:
        operations: the largest op of a problem; each draws the smaller of two uniform numbers. Tests begin at 2.
        instances: the largest number of sentences of a problem, each of up to three operations.
        order: which comes first.
            - pq: the problem, then the question.
            - qp: the question, then the problem.
        steps: of the training.
        windows_per_step: of a training step.
        tokens_per_window: a window is filled with problems, and the last one is cut off.
        retry_rate: probability, before each step of a solution and again after each time, of a wrong parameter that is
            taken back.
        retry_kind: what such a wrong parameter is; see `reasoning.retry_kind`.
        masks_retries: whether the names of wrong parameters have no loss.
    """

    operations: Annotated[int, Range(minimum=2)] = 15
    instances: Annotated[int, Range(minimum=2)] = 20
    order: Literal["pq", "qp"] = "pq"
    steps: Count = 1000
    windows_per_step: Count = 32
    tokens_per_window: Annotated[int, Range(minimum=16)] = 768
    retry_rate: Annotated[float, Range(minimum=0, below=1)] = 0.0
    retry_kind: RetryKind = "retry"
    masks_retries: bool = True


@dataclass(frozen=True)
class WordProblemsMeasures:
    """What is measured on a model that was trained on English problems.

    Attributes:
        n_problems: fresh ones of the test templates for each op.
        beyond: ops above the largest of training that are solved, too: 5 is 20 after training up to 15.
        rows_per_pass: problems that are solved together.
        probe_tasks: what probes ask about a parameter (see `reasoning`), on arms without retries; () for no probes.
            They are trained on questions about problems of the training templates and judged on those of the test.
        probe_rank: of the change of the embedding with which a probe asks about a parameter.
        probe_steps: training steps of a probe.
        probe_items: questions of a step.
        probe_learning_rate: the first; it falls along a line to 0.
        probe_judged: questions on which a probe is judged.
    """

    n_problems: Count = 128
    beyond: Annotated[tuple[NaturalNumber, ...], Size(0, unique=True)] = (5, 8)
    rows_per_pass: Count = 64
    probe_tasks: Annotated[tuple[ProbeTask, ...], Size(0, unique=True)] = ()
    probe_rank: Count = 8
    probe_steps: Count = 2000
    probe_items: Count = 48
    probe_learning_rate: PositiveNumber = 2e-3
    probe_judged: Count = 1024
