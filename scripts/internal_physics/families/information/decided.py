"""Rule decided: the followed tokens of all models → the tables decided and decided_means."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from internal_physics.families.information.followed_names import ANSWER
from internal_physics.families.information.tables import ALL_KINDS, DECIDED, NO_KIND
from internal_physics.families.run.notes import of_prompts
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK
from internal_physics.statistics.bootstrap import mean_interval
from internal_physics.statistics.shares import share_interval
from internal_physics.tables.keys import PROMPT_OF_MODEL_KEY, SET_KEY
from internal_physics.tables.read import read_table
from internal_physics.tables.rows import read_rows

SHARE = "correct"  # yes or no for each prompt: a bootstrap interval of equal answers would have no width
OF_BOTH = ("settled_layer", "settled_depth", "final_probability", "final_margin_nats", "best_settled_layer")


def decided_files(
    paths: Iterable[str | Path], prompts: str | Path, *, seed: int, n_resamples: int, confidence_level: float
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of both tables, one per model and condition.

    Args:
        paths: files results/lens/{model}/{condition}/followed.parquet.
        prompts: Parquet file of table `prompts_read`, of which the kinds are taken.
        seed: of the resampling; each mean draws by its own name.
        n_resamples: bootstrap resamples of each mean.
        confidence_level: of the intervals.
    """
    for path in paths:
        own = [("model", "=", Path(path).parts[-3])]
        kinds = read_table(prompts, PROMPTS_READ, own, [*PROMPT_OF_MODEL_KEY, "kind"])
        decided = decided_table(read_rows(path), kinds)
        yield "decided", decided
        settings: dict[str, Any] = {"n_resamples": n_resamples, "confidence_level": confidence_level}
        yield "decided_means", decided_means(decided, seed=seed, **settings)


def decided_table(followed: pd.DataFrame, prompts: pd.DataFrame) -> pd.DataFrame:
    """Table `decided`: the rows of `followed.followed_row` with the kind of each prompt.

    Args:
        followed: of one or more models and conditions, in their order.
        prompts: table `prompts_read`, at least its key and kind.

    Raises:
        StoreError: for a prompt that `prompts` does not name.
    """
    kinds = of_prompts(followed, prompts, ["kind"])["kind"].fillna(NO_KIND)
    whole = {name: followed[name].astype("Int64") for name in ("settled_layer", "best_settled_layer")}
    correct = followed["is_correct"].astype("Float64").astype("boolean")
    answers = followed["answer"].where(followed["answer"] != "", None)
    return followed.assign(kind=kinds, answer=answers, is_correct=correct, **whole)[list(DECIDED.columns)]


def decided_means(decided: pd.DataFrame, *, seed: int, n_resamples: int, confidence_level: float) -> pd.DataFrame:
    """Table `decided_means`: means over prompts with BCa bootstrap intervals; a share has Wilson's interval.

    For every prompt set as a whole (`kind` is "all kinds") and, where it has several kinds, for each of them; prompts
    whose answer is followed apart from those whose own token is. Rows of `decided` that are not ok are left out.
    """
    settings = {"n_resamples": n_resamples, "confidence_level": confidence_level}
    found = []
    usable = decided[decided["status"] == OK]
    for keys, group in usable.groupby([*SET_KEY, "followed"], sort=False):
        kinds = [(ALL_KINDS, group), *group.groupby("kind", sort=False)]
        for kind, of_kind in kinds if len(kinds) > 2 else kinds[:1]:
            place = dict(zip([*SET_KEY, "followed"], keys, strict=True)) | {"kind": kind}
            for quantity, values in _numbers(of_kind).items():
                own_seed = seed_of(seed, "decided", *place.values(), quantity)
                found.append(place | {"quantity": quantity} | _mean(quantity, values, own_seed, settings))
    columns = [*SET_KEY, "kind", "followed", "quantity", *_MEAN]
    return pd.DataFrame(found, columns=columns)


_MEAN = ("mean", "ci_low", "ci_high", "n_prompts", "n_without", "status")


def _numbers(decided: pd.DataFrame) -> dict[str, np.ndarray]:
    """Quantity → [prompt], NaN where a prompt has none."""
    numbers = {name: decided[name].astype("Float64").to_numpy(dtype=float, na_value=np.nan) for name in OF_BOTH}
    if (decided["followed"] == ANSWER).all():
        return {SHARE: decided["is_correct"].to_numpy(dtype=float, na_value=np.nan)} | numbers
    return numbers


def _mean(quantity: str, values: np.ndarray, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    finite = values[np.isfinite(values)]
    found = mean_interval(finite, seed=seed, **settings)
    ends = found.low, found.high
    if quantity == SHARE and found.n > 1:
        ends = share_interval(int(finite.sum()), found.n, settings["confidence_level"])
    numbers = (found.value, *ends, found.n, len(values) - len(finite), found.status)
    return dict(zip(_MEAN, numbers, strict=True))
