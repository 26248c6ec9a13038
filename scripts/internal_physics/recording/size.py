"""The size of a record, known before anything runs."""

from internal_physics.models.anatomy import Anatomy
from internal_physics.recording.recorder import RecordOptions

BYTES_PER_NUMBER = 4


def expected_bytes(anatomy: Anatomy, n_tokens: int, options: RecordOptions, *, n_vocabulary: int) -> int:
    """Bytes of one prompt's record before compression, which saves about a tenth."""
    per_token = 2 * (anatomy.n_layers + 1) * anatomy.width
    if options.weight_gradients == "factors":
        per_token += _factor_numbers(anatomy)
    return BYTES_PER_NUMBER * (n_tokens * per_token + (n_vocabulary if options.logits else 0))


def _factor_numbers(anatomy: Anatomy) -> int:
    """Numbers per token in inputs and output gradients; an upper bound, since shared inputs show only in a pass."""
    total = 0
    for m in anatomy.maps:
        n_out, n_in = m.shape[::-1] if m.transposed else m.shape
        total += n_in + 1 if m.lookup else n_in + n_out
    return total
