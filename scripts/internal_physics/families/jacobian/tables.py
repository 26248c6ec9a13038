"""The table of the local linear maps."""

from internal_physics.families.jacobian.statuses import NO_VALUES
from internal_physics.tables.columns import OF_PROMPT, STATUS, TEXT, Column
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.table import Table

EXACT, PROBES = "exact", "probes"
N_VALUES = 4  # of the largest singular values, each a column


def _value(meaning: str) -> Column:
    return Column("float64", "1", meaning, low=0)


JACOBIANS = Table(
    "jacobians",
    columns=OF_PROMPT
    | {
        "layer": Column("int64", "block", "block l = 0..L-1, which maps residual[l] to residual[l+1]", low=0),
        "width": Column("int64", "1", "d, of the residual stream: the map has d × d entries", low=1),
        "method": Column(
            TEXT,
            "",
            "exact: all rows of the map were computed; probes: products with random vectors",
            allowed=(EXACT, PROBES),
        ),
        "n_products": Column("int64", "vectors", "rows that were computed, or random vectors", low=1),
        "frobenius_norm": _value("‖J‖: root of the sum of the squares of all entries"),
        "frobenius_standard_error": _value("standard error of ‖J‖ over random vectors; 0 where it is exact"),
        "rms_gain": _value("‖J‖/√d: by which factor a change is stretched, root mean square over directions"),
        **{
            f"singular_value_{rank}": _value(f"σ{rank}: singular value number {rank}, the largest first")
            for rank in range(1, N_VALUES + 1)
        },
        "smallest_singular_value": _value("the direction that the block shrinks most"),
        "effective_rank": Column(
            "float64", "directions", "exp of the entropy of σ/Σσ: from 1 to d, where all σ are alike", low=0
        ),
        "log_abs_det_nats": Column("float64", "nats", "ln|det J|: how the block scales volume; above 0 it expands"),
        "mean_log_gain_nats": Column("float64", "nats per direction", "ln|det J| / d: mean of ln σ"),
        "status": STATUS,
    },
    key=[*PROMPT_KEY, "layer"],
    finite=("frobenius_norm", "rms_gain", "singular_value_1", "effective_rank", "log_abs_det_nats"),
    by_definition=(NO_VALUES,),
)
