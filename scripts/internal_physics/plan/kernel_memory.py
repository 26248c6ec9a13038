"""How much memory the jobs of kernels take, and where they run, known before from the numbers of their prompts.

A kernel of N prompts takes squares of N × N numbers: one for each layer and kind of map where it is split, and where it
is not (sketches of more than 300 prompts) the kernel and its standard error in float32. The tables need squares to
work with beside them, and the cosines of every other kernel, with which it is compared. No heavy imports.
"""

from collections.abc import Iterable
from typing import NamedTuple

_LIBRARIES = 400e6  # bytes
_BLOCKS = 600e6  # of factors or sketches, of which two are in memory at once; or what is read of a file of kernels
_MOST_GROUPS = 250  # of layers and kinds; models of more than 35 blocks have more, and a retry
_MOST_SPLIT = 300  # families.kernel.parts.MOST_SPLIT
_LEAST_MB = 2000
_FLOAT32, _FLOAT64 = 4, 8
MOST_PROMPTS_LOCALLY = 500
"""In the largest kernel whose tables a cluster's login node makes: its squares, and the time they take, are small."""


class KeptPrompts(NamedTuple):
    """How many prompts of one model and condition keep factors, and how many sketches."""

    factors: int
    sketch: int


def kernel_memory_mb(kept: KeptPrompts) -> int:
    """Of the rule kernel: the kernels are made one after the other."""
    return _rounded(_LIBRARIES + _BLOCKS + max(_exact(kept), _estimated(kept)))


def kernel_tables_memory_mb(runs: Iterable[KeptPrompts]) -> int:
    """Of the rule collect_kernel: both kernels of one model and condition, and the cosines of all.

    Args:
        runs: of every model and condition.
    """
    all_runs = list(runs)
    largest = max((_exact(kept) + _estimated(kept) + _beside(kept) for kept in all_runs), default=0)
    return _rounded(_LIBRARIES + _BLOCKS + largest + sum(map(_cosines, all_runs)))


def has_local_tables(runs: Iterable[KeptPrompts]) -> bool:
    """Whether the rule collect_kernel is short enough for the node where a workflow is started.

    Args:
        runs: of every model and condition.

    Returns:
        True if no kernel has more than MOST_PROMPTS_LOCALLY prompts, and the memory is what any small job asks for.
    """
    all_runs = list(runs)
    largest = max((kept.factors + kept.sketch for kept in all_runs), default=0)
    return largest <= MOST_PROMPTS_LOCALLY and kernel_tables_memory_mb(all_runs) <= _LEAST_MB


def _exact(kept: KeptPrompts) -> float:
    return _MOST_GROUPS * _FLOAT64 * kept.factors**2


def _estimated(kept: KeptPrompts) -> float:
    """The kernel of sketches, of which prompts with factors are part too, and its error."""
    n = _n_estimated(kept)
    return 2 * _FLOAT32 * n**2 if n > _MOST_SPLIT else 2 * _MOST_GROUPS * _FLOAT64 * n**2


def _n_estimated(kept: KeptPrompts) -> int:
    return kept.factors + kept.sketch if kept.sketch else 0


def _cosines(kept: KeptPrompts) -> float:
    return _number(kept) * _n_estimated(kept) ** 2 + _FLOAT64 * kept.factors**2


def _beside(kept: KeptPrompts) -> float:
    """A kernel without the prompts that are left out, or later a square in float64 to work with."""
    return max(_exact(kept), _estimated(kept), _FLOAT64 * (kept.factors + kept.sketch) ** 2)


def _number(kept: KeptPrompts) -> int:
    return _FLOAT32 if _n_estimated(kept) > _MOST_SPLIT else _FLOAT64


def _rounded(n_bytes: float) -> int:
    """In MB, hundreds."""
    return max(_LEAST_MB, int(-(-n_bytes // 1e8)) * 100)
