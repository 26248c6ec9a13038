"""The table of the spectra behind ISF."""

from internal_physics.tables.columns import OF_SET, STATUS, Column
from internal_physics.tables.keys import SET_KEY
from internal_physics.tables.table import Table

ISF_SPECTRA = Table(
    "isf_spectra",
    columns=OF_SET
    | {
        "rank": Column("int64", "", "place of the eigenvalue, from 1", low=1),
        "eigenvalue": Column(
            "float64", "(nats / residual unit)^2", "of the covariance of the prompts' gradients", low=0
        ),
        "fitted": Column("float64", "(nats / residual unit)^2", "fitted power law a·k^(-b) at this rank"),
        "status": STATUS,
    },
    key=[*SET_KEY, "rank"],
    finite=("eigenvalue", "fitted"),
    members=("rank",),
    filled_by=("isf",),
)
