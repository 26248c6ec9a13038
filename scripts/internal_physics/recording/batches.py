"""Which prompts run together."""

from collections.abc import Iterator, Sequence

from internal_physics.models.lengths import Ranges
from internal_physics.recording.encoding import Encoded


def batches_of(
    encoded: Sequence[Encoded], batch_size: int, batch_tokens: int, ranges: Ranges | None = None
) -> Iterator[list[Encoded]]:
    """Prompts from short to long, at most `batch_size` and `batch_tokens` (padding included) together.

    Args:
        encoded: the prompts.
        batch_size: most prompts of a batch.
        batch_tokens: most tokens of a batch; a longer prompt runs alone.
        ranges: of the model; all lengths, if not given.
    """
    ranges = ranges or Ranges()
    batch: list[Encoded] = []
    for e in sorted(encoded, key=lambda e: len(e.ids)):
        is_full = len(batch) == batch_size or (len(batch) + 1) * len(e.ids) > batch_tokens
        if batch and (is_full or not ranges.allow(len(batch[0].ids), len(e.ids))):
            yield batch
            batch = []
        batch.append(e)
    if batch:
        yield batch
