"""Rule hypotheses: table `gains` → table `hypotheses`, every conjecture about residual gain with its verdict.

Hypotheses, by the column of that name: `entropy_gain` (is the last gain driven by uncertainty?), `contraction` (does
the last block shrink the stream on prompts of a kind?), `nested_grammar` (is a centre-embedded sentence as easy as a
fact?) and `contrast` (do two kinds differ in last gain?). The rules of the verdicts are in verdicts.py.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from internal_physics.families.residual_gain import verdicts
from internal_physics.families.residual_gain.hypothesis_tests import (
    Settings,
    contraction_rows,
    contrast_rows,
    entropy_gain_rows,
    nested_grammar_row,
)
from internal_physics.families.residual_gain.tables import GAINS, HYPOTHESES
from internal_physics.families.residual_gain.verdicts import ALL_SETS, CONTRAST, ENTROPY_GAIN, NESTED_KINDS, NOT_GIVEN
from internal_physics.families.run.notes import of_prompts
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.statistics.many_tests import adjust_false_discovery
from internal_physics.tables.keys import PROMPT_OF_MODEL_KEY
from internal_physics.tables.read import read_table, table_parts

_PLACE = ["model", "condition", "variant"]


def judge_hypotheses(
    gains: pd.DataFrame | Iterable[pd.DataFrame],
    *,
    seed: int,
    n_resamples: int,
    confidence_level: float,
) -> pd.DataFrame:
    """Test every hypothesis for each model, condition and variant.

    Kinds are compared over the prompts of all sets together (`prompt_set` is "all sets"), where a text that stands in
    two sets counts once; the correlation is also given for each set on its own. `p_adjusted` is p after
    Benjamini-Hochberg within a family: all models, variants and pairs of one hypothesis and statistic, "all sets"
    apart from single sets.

    Args:
        gains: table `gains` with a column `text` (see `gains_with_text`), whole or in parts, in which the rows of a
            model and condition are together.
        seed: of all random draws; each row has its own, derived from its name.
        n_resamples: bootstrap resamples and permutations of each row.
        confidence_level: of the intervals.

    Returns:
        Table `hypotheses`. What cannot be tested has the verdict "untested" and a status that says why.
    """
    settings = Settings(seed, n_resamples, confidence_level)
    found = []
    for part in [gains] if isinstance(gains, pd.DataFrame) else gains:
        for place, group in part.groupby(_PLACE, sort=False):
            keys = dict(zip(_PLACE, place, strict=True))
            found += [keys | row for row in _rows_of_model(group, settings.named(*place))]
    columns = list(HYPOTHESES.columns)
    table = pd.DataFrame(found, columns=[name for name in columns if name not in ("p_adjusted", "verdict")])
    return _judge(_adjust(table), found)[columns]


def gains_with_text(gains: str | Path, prompts: str | Path) -> Iterator[pd.DataFrame]:
    """Table `gains` with the text of each prompt, one part for each model and condition.

    Args:
        gains: its Parquet file.
        prompts: that of table `prompts_read`.
    """
    for part in table_parts(gains, GAINS, ["model", "condition"], n_rows=1):
        own = [("model", "in", list(part["model"].unique()))]
        texts = read_table(prompts, PROMPTS_READ, own, [*PROMPT_OF_MODEL_KEY, "text"])
        yield part.assign(text=of_prompts(part, texts, ["text"])["text"])


def _rows_of_model(group: pd.DataFrame, settings: Settings) -> Iterator[dict]:
    pooled = group[~group["text"].duplicated()]
    for prompt_set, of_set in [(ALL_SETS, pooled), *group.groupby("prompt_set", sort=False)]:
        for row in entropy_gain_rows(of_set, settings.named(prompt_set)):
            yield {"prompt_set": prompt_set} | row
    kinds = pooled[pooled["kind"] != NOT_GIVEN].groupby("kind", sort=False)
    by_kind = {kind: of_kind["last_gain"].to_numpy() for kind, of_kind in kinds}
    every_kind = by_kind | {kind: () for kind in NESTED_KINDS if kind not in by_kind}
    contraction = {row["x"]: row for row in contraction_rows(every_kind, settings)}
    rows = [*contraction.values(), nested_grammar_row(by_kind, contraction, *NESTED_KINDS, settings)]
    yield from ({"prompt_set": ALL_SETS} | row for row in [*rows, *contrast_rows(by_kind, settings)])


def _adjust(table: pd.DataFrame) -> pd.DataFrame:
    families = table.groupby(["hypothesis", "statistic", table["prompt_set"] == ALL_SETS])["p"]
    adjusted = families.transform(lambda p: adjust_false_discovery(p.to_numpy()))
    return table.assign(p_adjusted=adjusted.astype("float64"))


def _judge(table: pd.DataFrame, found: list[dict]) -> pd.DataFrame:
    """Give our verdict: those that need the adjusted p here, the others as their test gave it."""
    words = {ENTROPY_GAIN: (verdicts.SUPPORTED, verdicts.INVERSE), CONTRAST: (verdicts.HIGHER, verdicts.LOWER)}
    judged = [
        verdicts.signed_verdict(row.p_adjusted, row.ci_low, row.ci_high, words[row.hypothesis])
        if row.hypothesis in words
        else raw["verdict"]
        for row, raw in zip(table.itertuples(), found, strict=True)
    ]
    return table.assign(verdict=judged)
