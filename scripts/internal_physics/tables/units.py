"""The column `unit` of tables whose rows are of different metrics: the unit of the row's numbers."""

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from internal_physics.ground.errors import StoreError
from internal_physics.tables.columns import UNIT


def with_units(frame: pd.DataFrame, units: Mapping[str, str]) -> pd.DataFrame:
    """The frame with the unit of each row's metric.

    Args:
        frame: rows with a column `metric`.
        units: metric → unit. A number by kind of map, such as temperature_query, has the unit of temperature.

    Raises:
        StoreError: naming a metric without a unit.
    """
    known = {name: _unit_of(name, units) for name in frame["metric"].unique()}
    return frame.assign(**{UNIT: frame["metric"].map(known).astype("str")})


def chunks_with_units(
    chunks: Iterable[tuple[str, pd.DataFrame]], table: str, units: Mapping[str, str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of several tables, those of one of them `with_units`."""
    for name, chunk in chunks:
        yield name, with_units(chunk, units) if name == table else chunk


def _unit_of(name: str, units: Mapping[str, str]) -> str:
    if name in units:
        return units[name]
    of_kind = [own for own in units if name.startswith(f"{own}_")]
    if not of_kind:
        raise StoreError(f"the metric {name!r} has no unit", expected=f"one of {', '.join(units)}")
    return units[max(of_kind, key=len)]
