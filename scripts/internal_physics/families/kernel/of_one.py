"""Rows of the tables of one kernel: pairs, spectrum, map, shares of layers and kinds of maps, and a summary. Pure."""

import logging
import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from internal_physics.families.kernel.kernel_files import KernelOf
from internal_physics.families.kernel.parts import cosine_kernel
from internal_physics.families.kernel.spectrum import effective_rank, shares
from internal_physics.families.kernel.tables import KERNEL, KERNEL_MAP, KERNEL_SHARES, KERNEL_SPECTRA, MOST_PROMPTS
from internal_physics.families.kernel.usable import Usable
from internal_physics.ground.status import OK, join_status
from internal_physics.statistics.alignment import row_blocks
from internal_physics.statistics.alignment_statuses import NO_PAIR, ONE_GROUP

LOGGER = logging.getLogger(__name__)
NO_DIRECTION = "no finite gradient"
NO_PROMPTS = "no prompt has a finite gradient"
ONE_PROMPT = "fewer than two prompts"


def pair_rows(of: KernelOf) -> pd.DataFrame:
    """Rows of table `kernel`: every prompt with itself and every later one; none above 300 prompts (logged)."""
    kernel, n = of.kernel, len(of.kernel.prompts)
    if n > MOST_PROMPTS:
        LOGGER.info("the kernel of %s, %s has %d prompts: its pairs are not listed", of.model, of.condition, n)
        return pd.DataFrame(columns=list(KERNEL.columns))
    first, second = np.triu_indices(n)
    matrix, errors = kernel.matrix(), kernel.standard_error()
    cosines = cosine_kernel(matrix)[first, second]
    sets, names = (np.array([name[i] for name in kernel.prompts], dtype=object) for i in (0, 1))
    return pd.DataFrame(
        {
            **{"model": of.model, "condition": of.condition, "source": kernel.source},
            **{"prompt_set": sets[first], "prompt": names[first]},
            **{"other_prompt_set": sets[second], "other_prompt": names[second]},
            "value": matrix[first, second],
            "standard_error": errors[first, second].astype(np.float64),
            "cosine": cosines,
            "status": np.where(np.isfinite(cosines), OK, NO_DIRECTION),
        }
    )


def spectrum_rows(of: Usable) -> pd.DataFrame:
    """Rows of table `kernel_spectra`."""
    values, cosine_values = of.eigenvalues, of.cosine_eigenvalues
    rows = pd.DataFrame(
        {
            "rank": np.arange(1, len(values) + 1),
            "eigenvalue": values,
            "share": shares(values),
            "cosine_eigenvalue": cosine_values,
            "cosine_share": shares(cosine_values),
        }
    )
    return rows.assign(**of.key, status=join_status(of.left_out))[list(KERNEL_SPECTRA.columns)]


def map_rows(of: Usable) -> pd.DataFrame:
    """Rows of table `kernel_map`: the plane of the cosine kernel, each prompt once."""
    places = of.map.places
    rows = pd.DataFrame(of.prompts, columns=["prompt_set", "prompt"]).assign(
        kind=[kind or None for kind in of.kinds],
        x=places[:, 0],
        y=places[:, 1],
        squared_norm=of.kernel.squared_norms,
    )
    return rows.assign(**of.key, status=OK)[list(KERNEL_MAP.columns)]


def share_rows(of: Usable) -> pd.DataFrame:
    """Rows of table `kernel_shares`: one for every group of weights; none of a kernel that is not split."""
    total = float(of.kernel.squared_norms.sum()) if len(of.prompts) else math.nan
    rows = [
        {
            **of.key,
            **{"layer": cell.layer, "kind": cell.kind},
            "trace": float(np.trace(matrix)),
            "share": float(np.trace(matrix)) / total,
            "mean_cosine": pair_means(cosine_kernel(matrix), of.kinds).all,
            "status": join_status(of.left_out, "" if len(of.prompts) else NO_PROMPTS),
        }
        for cell, matrix in of.kernel.cells.items()
        if None not in cell
    ]
    return pd.DataFrame(rows, columns=list(KERNEL_SHARES.columns))


def summary_row(of: Usable) -> dict[str, object]:
    """One row of table `kernel_summary`."""
    n = len(of.prompts)
    values, cosine_values = of.eigenvalues, of.cosine_eigenvalues
    means = pair_means(of.cosines, of.kinds)
    return {
        **of.key,
        "n_prompts": n,
        "trace": float(of.kernel.squared_norms.sum()),
        "top_share": float(shares(values)[0]) if n else math.nan,
        "effective_rank": effective_rank(values),
        "cosine_top_share": float(shares(cosine_values)[0]) if n else math.nan,
        "cosine_effective_rank": effective_rank(cosine_values),
        "map_share": of.map.share,
        "mean_cosine": means.all,
        "cosine_within": means.within,
        "cosine_between": means.between,
        "n_kinds": len(np.unique(of.kinds[of.kinds != ""])),
        "pairs_status": OK if n > 1 else ONE_PROMPT,
        "kinds_status": join_status(
            ONE_GROUP if math.isnan(means.between) else "", NO_PAIR if math.isnan(means.within) else ""
        ),
        "status": join_status(of.left_out, "" if n else NO_PROMPTS),
    }


class PairMeans(NamedTuple):
    """Mean cosine of two different prompts: of all pairs, of one kind, of different kinds; NaN where there is none."""

    all: float
    within: float
    between: float


def pair_means(cosines: NDArray, kinds: NDArray[np.str_]) -> PairMeans:
    """Over the pairs with a finite cosine, some rows at a time.

    Args:
        cosines: [N, N].
        kinds: [N]; a prompt with "" is in no pair of kinds.
    """
    _, codes = np.unique(kinds, return_inverse=True)
    has_kind = kinds != ""
    sums, counts = np.zeros(3), np.zeros(3)
    for rows in row_blocks(len(cosines)):
        places = np.arange(len(cosines))[rows, None]
        is_pair = np.isfinite(cosines[rows]) & (np.arange(len(cosines)) > places)
        same = codes[rows, None] == codes
        both = has_kind[rows, None] & has_kind
        for i, chosen in enumerate((is_pair, is_pair & both & same, is_pair & both & ~same)):
            sums[i] += np.sum(cosines[rows], where=chosen, dtype=np.float64)
            counts[i] += np.count_nonzero(chosen)
    with np.errstate(invalid="ignore"):
        return PairMeans(*map(float, sums / np.where(counts > 0, counts, math.nan)))
