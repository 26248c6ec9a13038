"""The size of a record, known before anything runs."""

from internal_physics.models.anatomy import Anatomy
from internal_physics.models.coverage import Coverage
from internal_physics.recording.recorder import RecordOptions

BYTES_PER_NUMBER = 4


def expected_bytes(
    anatomy: Anatomy, coverage: Coverage, n_tokens: int, options: RecordOptions, *, n_vocabulary: int
) -> int:
    """Bytes of one prompt's record before compression, which saves about a tenth.

    Args:
        anatomy: of the model.
        coverage: as the self-check found it, with the size of the factors.
        n_tokens: T, of the prompt.
        options: what is kept.
        n_vocabulary: V, numbers in the logits of a position.
    """
    numbers = n_tokens * 2 * (anatomy.n_layers + 1) * anatomy.width
    if options.weight_gradients == "factors":
        numbers += round(n_tokens * coverage.numbers_per_token) + coverage.numbers_per_prompt
    if options.weight_gradients == "sketch":
        numbers += options.sketch_size * coverage.n_matrices
    return BYTES_PER_NUMBER * (numbers + (n_vocabulary if options.logits else 0))
