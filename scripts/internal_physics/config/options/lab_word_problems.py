"""Options of the lab's experiment `word_problems`: the data of an arm, and what is measured on it. No heavy imports."""

from dataclasses import dataclass
from typing import Annotated, Literal

from internal_physics.config.options.lab_reasoning import RetryKind
from internal_physics.ground.options import Count, NaturalNumber, Range, Size


@dataclass(frozen=True)
class WordProblemsData:
    """English problems of the training templates, each followed by its solution, in windows of equal length.

    Attributes:
        operations: the largest op of a problem; each draws the smaller of two uniform numbers.
        instances: the largest number of sentences of a problem.
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

    operations: Count = 15
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
    """

    n_problems: Count = 128
    beyond: Annotated[tuple[NaturalNumber, ...], Size(0, unique=True)] = (5, 8)
    rows_per_pass: Count = 64
