"""Which English problems can be drawn: asked when a config is read, before any training."""

from internal_physics.config.options.lab_word_problems import WordProblemsData, WordProblemsMeasures
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.reasoning.write import N_LETTERS

_PER_SENTENCE = 3
"""Operations of a sentence of four operands. With fewer than this for each sentence, most tries lead to a problem."""


def planned_steps(options: WordProblemsData) -> int:
    """Steps of a training; its problems are drawn later.

    Raises:
        ConfigError: for more operations than problems of so many sentences have.
    """
    _require_room(options, options.operations, "operations")
    return options.steps


def require_measurable(options: WordProblemsData, measures: WordProblemsMeasures) -> None:
    """Refuse test problems that cannot be drawn.

    Raises:
        ConfigError: for more operations beyond training than problems of so many sentences have.
    """
    if measures.beyond:
        _require_room(options, options.operations + max(measures.beyond), "operations, with lab → measures → beyond")


def _require_room(options: WordProblemsData, operations: int, where: str) -> None:
    most = min(N_LETTERS, _PER_SENTENCE * options.instances - 1)
    if operations > most:
        raise ConfigError(
            f"{operations} operations in problems of {options.instances} sentences",
            where=where,
            expected=f"at most {most}: {_PER_SENTENCE} for each sentence but one, and {N_LETTERS} variables",
            todo="take fewer operations, or more instances",
        )
