"""English problems as a Parquet file, without training anything."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from internal_physics.ground.errors import UserError
from internal_physics.ground.files import whole_file
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.reasoning.problem import Solution
from internal_physics.lab.data.reasoning.retry import with_retries
from internal_physics.lab.data.reasoning.sizes import MEDIUM, ReasoningSizes
from internal_physics.lab.data.reasoning.word_problem import WordProblem, draw_word_problem
from internal_physics.lab.data.reasoning.write import Written, write

PER_CHUNK = 2000
SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("problem", pa.string()),
        ("question", pa.string()),
        ("solution", pa.string()),
        ("answer", pa.int32()),
        ("operations", pa.int32()),
        ("parameters", pa.int32()),
        ("needed", pa.int32()),
        ("retries", pa.int32()),
        ("template_bin", pa.int32()),
    ]
)


@dataclass(frozen=True)
class ProblemSet:
    """A set of English problems that has no end: the problem of a number is always the same.

    Attributes:
        sizes: the limits of the problems.
        operations: op of all of them; by default each draws its own.
        bins: where templates may be, as TRAINING_BINS; anywhere when not given.
        retry_rate: of wrong sentences that are taken back, 0..1 without 1.
        retry_kind: which; one of RETRY_KINDS.
        seed: of all draws.
    """

    sizes: ReasoningSizes = MEDIUM
    operations: int | None = None
    bins: Collection[int] | None = None
    retry_rate: float = 0.0
    retry_kind: str = "retry"
    seed: int = 0

    def problem(self, number: int) -> WordProblem:
        """The problem of a number, from 0."""
        draws = generator(self.seed, "problem of reasoning", str(number))
        return draw_word_problem(self.sizes, draws=draws, operations=self.operations, bins=self.bins)

    def written(self, number: int) -> tuple[WordProblem, Written]:
        """The problem of a number, and its text with retries."""
        given, written, _ = self.solved(number)
        return given, written

    def solved(self, number: int) -> tuple[WordProblem, Written, Solution]:
        """The problem of a number, its text, and the solution with retries that the text has."""
        given = self.problem(number)
        draws = generator(self.seed, "text of a problem of reasoning", str(number))
        solution = with_retries(given.problem, given.solution, self.retry_rate, draws, self.retry_kind)
        return given, write(given, draws, solution), solution


def write_problems(path: str | Path, n_problems: int, problems: ProblemSet | None = None, *, first: int = 0) -> None:
    """Write English problems with their solutions, one a row; on one core a million in about a quarter of an hour.

    Columns: `number`; `problem`, `question` and `solution` as texts, `answer`; `operations` (op), `parameters` and how
    many of them are `needed`; `retries`; `template_bin`.

    Args:
        path: of the Parquet file.
        n_problems: how many, at least 1.
        problems: which; those of iGSM-med when not given.
        first: the number of the first one, so that several processes can write parts of one set.

    Raises:
        UserError: for no problems, or where the set has none.
        StoreError: if the disk refuses.
    """
    if n_problems < 1 or first < 0:
        raise UserError(
            f"{n_problems} problems from number {first}",
            where="problems of reasoning",
            expected="at least one problem, from number 0 or a later one",
            todo="ask for more",
        )
    chosen = problems or ProblemSet()
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
        for begin in range(first, first + n_problems, PER_CHUNK):
            rows = list(_rows(chosen, range(begin, min(begin + PER_CHUNK, first + n_problems))))
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))


def _rows(problems: ProblemSet, numbers: range) -> Iterator[dict[str, object]]:
    for number in numbers:
        given, written = problems.written(number)
        yield {
            "number": number,
            "problem": written.problem,
            "question": written.question,
            "solution": written.solution,
            "answer": written.answer,
            "operations": given.problem.n_operations,
            "parameters": len(given.problem),
            "needed": len(given.problem.needed),
            "retries": len(written.name_spans) - len(given.solution.steps),
            "template_bin": given.template_bin,
        }
