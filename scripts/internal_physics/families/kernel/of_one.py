"""Rows of the tables of one kernel: pairs, spectrum, map, shares of layers and kinds of maps, and a summary. Pure."""

import logging
import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from internal_physics.families.kernel.kernel_files import KernelOf
from internal_physics.families.kernel.parts import cosine_kernel
from internal_physics.families.kernel.spectrum import effective_rank, shares
from internal_physics.families.kernel.tables import KERNEL, KERNEL_MAP, KERNEL_SHARES, KERNEL_SPECTRA, MOST_PROMPTS
from internal_physics.families.kernel.usable import Usable
from internal_physics.ground.status import OK, join_status
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
            "standard_error": errors[first, second],
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
        squared_norm=np.diagonal(of.matrix),
    )
    return rows.assign(**of.key, status=OK)[list(KERNEL_MAP.columns)]


def share_rows(of: Usable) -> pd.DataFrame:
    """Rows of table `kernel_shares`: one for every group of weights; none of a kernel that is not split."""
    total = float(np.trace(of.matrix)) if len(of.prompts) else math.nan
    rows = [
        {
            **of.key,
            **{"layer": cell.layer, "kind": cell.kind},
            "trace": float(np.trace(matrix)),
            "share": float(np.trace(matrix)) / total,
            "mean_cosine": _mean_of_pairs(cosine_kernel(matrix), np.ones(matrix.shape, bool)),
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
    kinds = of.kinds[of.kinds != ""]
    same = (of.kinds[:, None] == of.kinds[None, :]) & (of.kinds != "")
    other = (of.kinds[:, None] != of.kinds[None, :]) & (of.kinds != "")[:, None] & (of.kinds != "")[None, :]
    within, between = _mean_of_pairs(of.cosines, same), _mean_of_pairs(of.cosines, other)
    return {
        **of.key,
        "n_prompts": n,
        "trace": float(values.sum()),
        "top_share": float(shares(values)[0]) if n else math.nan,
        "effective_rank": effective_rank(values),
        "cosine_top_share": float(shares(cosine_values)[0]) if n else math.nan,
        "cosine_effective_rank": effective_rank(cosine_values),
        "map_share": of.map.share,
        "mean_cosine": _mean_of_pairs(of.cosines, np.ones((n, n), bool)),
        "cosine_within": within,
        "cosine_between": between,
        "n_kinds": len(np.unique(kinds)),
        "pairs_status": OK if n > 1 else ONE_PROMPT,
        "kinds_status": join_status(ONE_GROUP if math.isnan(between) else "", NO_PAIR if math.isnan(within) else ""),
        "status": join_status(of.left_out, "" if n else NO_PROMPTS),
    }


def _mean_of_pairs(cosines: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    """Mean over the chosen pairs of different prompts with a finite cosine; NaN if there is none."""
    values = cosines[np.triu(chosen, 1)]
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else math.nan
