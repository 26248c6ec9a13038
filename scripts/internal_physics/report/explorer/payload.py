"""Everything that a page holds: what the run's tables offer, by family, and the numbers in one packed text."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from internal_physics.families.family import Family
from internal_physics.report.explorer.lens import COLUMNS as OF_LENS
from internal_physics.report.explorer.lens import TokenTexts, grids
from internal_physics.report.explorer.offers import Words, is_map, is_of_pairs, is_shown, offers_of
from internal_physics.report.explorer.pack import Pack
from internal_physics.report.explorer.pairs import MAP_SHARE, maps, shares_of_maps, squares
from internal_physics.report.explorer.scores import OF_NORMALIZED, OF_SCORES, describe_scores
from internal_physics.report.explorer.series import Series, SeriesMaker, Statuses, columns_needed, n_numbers
from internal_physics.report.explorer.subjects import OF_PROMPTS, Subjects, choose_subjects, describe_subjects
from internal_physics.report.parts import describe_conditions
from internal_physics.report.texts import Texts
from internal_physics.tables.keys import PROMPT_KEY, PROMPT_OF_MODEL_KEY
from internal_physics.tables.read import read_table
from internal_physics.tables.rows import count_rows, read_frame
from internal_physics.tables.table import Table

MAX_NUMBERS = 4_000_000  # about 12 MB of a page
CELLS_OF_A_TOKEN = 3  # numbers in a cell of a lens
_WHOLE = {  # tables of which every row is read -> the columns that the page uses
    "prompts": OF_PROMPTS,
    "prompts_read": (*PROMPT_OF_MODEL_KEY, "tokens"),
    "models": ("model", "source", "dtype", "quantization", "step", "parent", "n_blocks", "n_parameters"),
}


def build_payload(
    paths: Mapping[str, str],
    tables: Mapping[str, Table],
    families: Sequence[Family],
    texts: Texts,
    *,
    lenses: Sequence[str] = (),
    confidence_level: float,
    max_numbers: int = MAX_NUMBERS,
) -> dict[str, Any]:
    """What the page shows, as JSON can hold it.

    Args:
        paths: name of a table → its Parquet file. Needed are prompts, prompts_read, models, scores, scores_normalized.
        tables: descriptions by name.
        families: in the order of the report.
        texts: their words.
        lenses: files of lens positions, of a model and condition each.
        confidence_level: of the intervals that the page computes.
        max_numbers: at most about so many numbers; where the tables have more, the first prompts of each set are kept.

    Raises:
        StoreError: naming the file that cannot be read.
    """
    frames = {name: read_table(paths[name], tables[name], columns=columns) for name, columns in _WHOLE.items()}
    shown = {name: tables[name] for name in paths if is_shown(tables[name])}
    counted = n_numbers({name: count_rows(paths[name]) for name in shown}, shown)
    counted += CELLS_OF_A_TOKEN * sum(map(count_rows, lenses))
    of_pairs = {name: tables[name] for name in paths if is_of_pairs(tables[name])}
    counted += 2 * n_numbers({name: count_rows(paths[name]) for name in of_pairs}, of_pairs)  # of both orders
    subjects = choose_subjects(frames["prompts"], max_numbers / max(counted, 1))
    pack, statuses = Pack(), Statuses()
    words = Words({name: text["axis"] for name, text in texts.metrics.items()}, _family_of_metric(families))
    offers: list[dict[str, Any]] = []
    for family in families:
        for name in [table.name for table in family.tables if table.name in shown]:
            maker = SeriesMaker(shown[name], subjects, statuses)
            offers += _offers(maker, paths[name], family.name, words, pack)
    place = {family.name: number for number, family in enumerate(families)}
    offers.sort(key=lambda offer: place[offer["family"]])
    used = {offer["family"] for offer in offers}
    return {
        **describe_subjects(subjects, frames["prompts"], frames["prompts_read"]),
        "n_left_out": subjects.n_left_out,
        "about_models": [_describe_model(row) for row in frames["models"].to_dict("records")],
        "families": [{"name": family.name, "title": family.title} for family in families if family.name in used],
        "offers": offers,
        "statuses": statuses.texts,
        "scores": _scores(paths, tables, texts, words.titles),
        "lens": _lenses(lenses, subjects, pack),
        "squares": _squares(paths, of_pairs, subjects, statuses, pack),
        "maps": _maps(paths, tables, subjects, pack),
        "about_conditions": _about_conditions(paths, tables),
        "confidence_level": confidence_level,
        "packed": pack.text(),
    }


def _family_of_metric(families: Sequence[Family]) -> dict[str, str]:
    return {metric.name: family.name for family in families for metric in family.metrics}


def _offers(maker: SeriesMaker, path: str, family: str, words: Words, pack: Pack) -> list[dict[str, Any]]:
    """Every offer of a table, with its series."""
    series: dict[str, list[Series]] = {}
    for found in maker.make(_rows(path, maker.table, maker.subjects)):
        series.setdefault(found.name, []).append(found)
    offers = offers_of(maker.table, list(series), family, words)
    return [asdict(offer) | {"series": [_packed(found, pack) for found in series[offer.name]]} for offer in offers]


def _rows(path: str, table: Table, subjects: Subjects) -> pd.DataFrame:
    """The rows of a table that the page shows."""
    return read_table(path, table, _of_prompts(subjects), columns_needed(table))


def _of_prompts(subjects: Subjects) -> pc.Expression:
    """Rows of prompts with these names, so that a page without room for all reads no others."""
    return pc.field("prompt").isin(pa.array(subjects.names("prompt"), pa.large_string()))  # also of no names


def _packed(series: Series, pack: Pack) -> dict[str, Any]:
    """A series for JSON. Its statuses are left out where every cell is ok."""
    place = {
        "values": pack.add(series.values),
        "statuses": pack.add(series.statuses) if series.statuses.any() else None,
    }
    shape = {"first": series.first_layer, "n_layers": series.values.shape[1], "merged": series.n_merged}
    return {"part": series.part} | shape | place


def _describe_model(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if pd.isna(value) else value for name, value in row.items()}


def _about_conditions(paths: Mapping[str, str], tables: Mapping[str, Table]) -> list[dict[str, str]]:
    """A sentence about every steering condition; none of a run without their table."""
    if "conditions" not in paths:
        return []
    conditions = read_table(paths["conditions"], tables["conditions"])
    rows = [conditions.iloc[[number]] for number in range(len(conditions))]
    return [
        {"condition": row["condition"].iloc[0], "about": about} for row in rows for about in describe_conditions(row)
    ]


def _scores(
    paths: Mapping[str, str], tables: Mapping[str, Table], texts: Texts, titles: Mapping[str, str]
) -> dict[str, Any]:
    scores = read_table(paths["scores"], tables["scores"], columns=OF_SCORES)
    normalized = read_table(paths["scores_normalized"], tables["scores_normalized"], columns=OF_NORMALIZED)
    about = {name: f"{text['measures']} {text['computed']}" for name, text in texts.metrics.items()}
    return describe_scores(scores, normalized, titles, about)


def _squares(
    paths: Mapping[str, str], tables: Mapping[str, Table], subjects: Subjects, statuses: Statuses, pack: Pack
) -> list[dict[str, Any]]:
    return [
        {"table": name, **square}
        for name, table in tables.items()
        for square in squares(read_table(paths[name], table), table, subjects, statuses, pack)
    ]


def _maps(
    paths: Mapping[str, str], tables: Mapping[str, Table], subjects: Subjects, pack: Pack
) -> list[dict[str, Any]]:
    shares: dict[tuple[str, ...], float] = {}
    for name in paths:
        if MAP_SHARE in tables[name].columns:
            shares |= shares_of_maps(read_table(paths[name], tables[name]), tables[name])
    return [
        {"table": name, **of_map}
        for name in paths
        if is_map(tables[name])
        for of_map in maps(read_table(paths[name], tables[name]), tables[name], subjects, shares, pack)
    ]


def _lenses(files: Sequence[str | Path], subjects: Subjects, pack: Pack) -> dict[str, Any]:
    texts = TokenTexts()
    found: list[dict[str, Any]] = []
    for file in files:
        rows = read_frame(file, _of_prompts(subjects), [*PROMPT_KEY, *OF_LENS])
        found += grids(rows, subjects, texts, pack)
    return {"texts": list(texts.texts), "grids": found}
