"""The description of the family jacobian: the local linear maps of blocks."""

from internal_physics.families.family import JACOBIANS as ASKED_FOR
from internal_physics.families.family import Family, Figure, Per
from internal_physics.families.jacobian.options import JacobianOptions
from internal_physics.families.jacobian.tables import JACOBIANS

ASKED = ((ASKED_FOR,),)

FAMILY = Family(
    name="jacobian",
    title="Local linear maps of blocks",
    options=JacobianOptions,
    tables={JACOBIANS: ASKED},
    figures=(Figure("jacobians", Per.RUN, tables=("jacobians",), params=("models",), needs=ASKED),),
)
