"""Quantities of the metric residual_gain at each layer: names, ranges, and words for axes."""

from internal_physics.families.residual_gain.variants import VARIANTS
from internal_physics.tables.table import Quantity

QUANTITIES = tuple(
    Quantity(f"residual_{what}_{variant}", low=0, label=f"residual {what}", unit=unit, may_be_log=True)
    for what, unit in (("norm", "residual unit"), ("gain", ""))
    for variant in VARIANTS
)
