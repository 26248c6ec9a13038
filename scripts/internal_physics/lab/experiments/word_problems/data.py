"""Training data of the experiment `word_problems`."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count

import numpy as np

from internal_physics.config.options.lab_word_problems import WordProblemsData
from internal_physics.lab.data.batches import Batch
from internal_physics.lab.data.reasoning.english import english_vocabulary, taken_back, words_of
from internal_physics.lab.data.reasoning.files import ProblemSet
from internal_physics.lab.data.reasoning.sizes import ReasoningSizes
from internal_physics.lab.data.reasoning.templates import TRAINING_BINS
from internal_physics.lab.data.vocabulary import END_ID, Vocabulary
from internal_physics.lab.experiments.word_problems.limits import planned_steps

MOST_IN_WINDOW = 1 << 12  # no window holds more problems: numbers of problems belong to one window


@dataclass(frozen=True)
class WordProblemsBatches:
    """Windows `<eos> text <eos> text …` in which all tokens have a loss, but for names that are taken back."""

    options: WordProblemsData
    problems: ProblemSet

    @property
    def vocabulary(self) -> Vocabulary:
        """Words of English problems."""
        return english_vocabulary(self.problems.sizes.modulus)

    @property
    def tokens_per_row(self) -> int:
        """Of a window."""
        return self.options.tokens_per_window

    @property
    def steps(self) -> int:
        """Of the training."""
        return self.options.steps

    def at(self, step: int) -> Batch:
        """See `Batches`."""
        first = step * self.options.windows_per_step
        windows = [self._window(first + number) for number in range(self.options.windows_per_step)]
        tokens, weights = (np.stack(parts) for parts in zip(*windows, strict=True))
        weights[:, 0] = 0.0
        return Batch(tokens, weights)

    def _window(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and loss weights of a window."""
        size = self.tokens_per_row
        tokens, weights = np.full(size, END_ID, np.int64), np.ones(size, np.float32)
        filled = 1
        for place in count(number * MOST_IN_WINDOW):
            ids, is_back = self._text(place)
            end = min(size, filled + len(ids))
            tokens[filled:end] = ids[: end - filled]
            if self.options.masks_retries:
                weights[filled:end][is_back[: end - filled]] = 0.0
            filled = end + 1
            if filled >= size:
                return tokens, weights
        raise AssertionError

    def _text(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Token ids of a problem with its solution, and which of them name what is taken back."""
        _, written, solution = self.problems.solved(number)
        prompt = words_of(written.prompt(self.options.order))
        ids = self.vocabulary.ids([*prompt, *words_of(written.completion())])
        is_back = np.zeros(len(ids), dtype=bool)
        of_solution = taken_back(written, solution)
        is_back[len(prompt) : len(prompt) + len(of_solution)] = of_solution
        return ids, is_back


def batches(options: WordProblemsData, seed: int) -> WordProblemsBatches:
    """The training set of an arm.

    Raises:
        ConfigError: for more operations than problems of so many sentences have.
    """
    planned_steps(options)
    return WordProblemsBatches(options, problem_set(options, seed, TRAINING_BINS))


def problem_set(
    options: WordProblemsData, seed: int, bins: Collection[int], operations: int | None = None
) -> ProblemSet:
    """Problems of an arm's sizes with templates in the given bins."""
    sizes = ReasoningSizes(most_operations=options.operations, most_instances=options.instances)
    return ProblemSet(sizes, operations, bins, options.retry_rate, options.retry_kind, seed)
