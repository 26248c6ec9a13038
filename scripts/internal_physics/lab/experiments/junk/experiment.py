"""The description of the experiment `junk`."""

from internal_physics.config.options.lab_junk import JunkData
from internal_physics.lab.experiments.experiment import ARM_KEY, OF_ARM, STEP, Experiment, LabFigure, Learned
from internal_physics.tables.columns import STATUS, TEXT, Column
from internal_physics.tables.table import Table

_ROOM = "internal_physics.lab.experiments.junk"
KINDS = ("good_only", "junk", "junk_domain_on_good", "junk_domain_on_all", "junk_repeated", "other")

LAB_JUNK = Table(
    "lab_junk",
    columns=OF_ARM
    | {
        "step": STEP,
        "mixture": Column(
            TEXT,
            "",
            "what people of use are mixed with: nothing, people that are drawn anew, the same with the domain token "
            "before texts of use or before all texts, a few people again and again, or another combination",
            allowed=KINDS,
        ),
        "exposures": Column("int64", "texts", "texts of each person of use in the whole training", low=1),
        "junk_share": Column("float64", "1", "share of the rows that are junk", low=0, high=1),
        "name_nats": Column("float64", "nats", "mean loss of a name of a person of use", low=0),
        "value_nats": Column("float64", "nats", "mean loss of a value of a person of use", low=0),
        "name_bits": Column(
            "float64",
            "bits",
            "learned of the names of people of use; each loses log2(1 / (1 − junk share)) where nothing tells a "
            "text of use from junk",
        ),
        "value_bits": Column("float64", "bits", "learned of their values; below 0 if worse than a guess"),
        "most_value_bits": Column("float64", "bits", "in all their values", low=0),
        "value_share": Column("float64", "1", "value_bits over most_value_bits"),
        "status": STATUS,
    },
    key=[*ARM_KEY, "step"],
    finite=("name_bits", "value_bits", "value_share"),
    group=ARM_KEY,
)

EXPERIMENT = Experiment(
    name="junk",
    title="Junk and the domain token",
    data_options=JunkData,
    data=f"{_ROOM}.data",
    plans=f"{_ROOM}.data",
    measures=f"{_ROOM}.measures",
    gates=f"{_ROOM}.gates",
    tables=(LAB_JUNK,),
    figures=(LabFigure("lab_junk", f"{_ROOM}.figures.lab_junk", ("lab_junk",)),),
    learned=Learned("lab_junk", "value_share"),
)
