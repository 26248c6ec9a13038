"""Training data from a file: every row once, in a new order, for each exposure."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from internal_physics.config.options.lab_rows import RowsData
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.batches import Batch, generator, predict_all
from internal_physics.lab.data.padding import padded
from internal_physics.lab.data.vocabulary import END_ID, Vocabulary


@dataclass(frozen=True)
class RowsBatches:
    """Rows of ids, padded to the longest, read in an order that each exposure draws anew."""

    vocabulary: Vocabulary
    rows: np.ndarray  # [rows, tokens]
    options: RowsData
    seed: int

    @property
    def tokens_per_row(self) -> int:
        """Tokens of the longest row, with `<eos>` before and after."""
        return int(self.rows.shape[1])

    @property
    def steps(self) -> int:
        """Steps in which every row is read `exposures` times; the last may repeat some."""
        return -(-self.options.exposures * len(self.rows) // self.options.rows_per_step)

    def at(self, step: int) -> Batch:
        """The rows of a step."""
        first = step * self.options.rows_per_step
        places = np.arange(first, first + self.options.rows_per_step)
        orders = {int(e): self._order(int(e)) for e in np.unique(places // len(self.rows))}
        chosen = [orders[int(place // len(self.rows))][place % len(self.rows)] for place in places]
        return predict_all(self.rows[chosen])

    def _order(self, exposure: int) -> np.ndarray:
        return generator(self.seed, "order of rows", str(exposure)).permutation(len(self.rows))


def batches(options: RowsData, seed: int) -> RowsBatches:
    """The training set of a file.

    Raises:
        ConfigError: for a file that cannot be read, or that has no words.
    """
    lines = _lines(options.file)
    vocabulary = Vocabulary.of(sorted({word for line in lines for word in line} - {"<eos>", "<pad>"}))
    rows = padded([[END_ID, *vocabulary.ids(line), END_ID] for line in lines])
    return RowsBatches(vocabulary, rows, options, seed)


def _lines(file: str) -> list[list[str]]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"it cannot be read ({error})", where=file, expected="a text file in UTF-8") from error
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ConfigError("it has no words", where=file, expected="one row a line, words separated by blanks")
    return lines
