"""The description of the experiment `capacity`."""

from internal_physics.config.options.lab_capacity import CapacityData, CapacityMeasures
from internal_physics.lab.experiments.experiment import ARM_KEY, OF_ARM, STEP, Experiment, LabFigure
from internal_physics.tables.columns import STATUS, Column
from internal_physics.tables.table import Table

_ROOM = "internal_physics.lab.experiments.capacity"
WHOLE_BITS = 32  # of a weight that is not rounded


def _bits(meaning: str, low: float | None = None) -> Column:
    return Column("float64", "bits", meaning, low=low)


def _per_parameter(meaning: str, low: float | None = None) -> Column:
    return Column("float64", "bits per parameter", meaning, low=low)


LAB_CAPACITY = Table(
    "lab_capacity",
    columns=OF_ARM
    | {
        "step": STEP,
        "weight_bits": Column("int64", "bits", "bits of each number in the matrices; 32: not rounded", low=2),
        "people": Column("int64", "people", "people in the data (N)", low=1),
        "exposures": Column("int64", "texts", "texts of each person in the whole training", low=1),
        "n_parameters": Column("int64", "numbers", "weights, without embeddings of words that no text has (P)", low=1),
        "name_nats": Column("float64", "nats", "mean loss of a name, summed over its tokens (p1)", low=0),
        "value_nats": Column("float64", "nats", "mean loss of a value, summed over its tokens (p2)", low=0),
        "first_chunk_nats": Column("float64", "nats", "mean loss of a value's first chunk (p3)", low=0),
        "name_bits": _bits("learned of the names; below 0 if worse than a guess"),
        "value_bits": _bits("learned of the values; likewise"),
        "diversity_bits": _bits("learned of the strings that values are made of; 0 where every string is one"),
        "data_bits": _bits("in the data: log2 of the number of data sets that are possible", low=0),
        "wrong_data_bits": _bits("WRONG formula of notes on the original, shown for comparison, used for nothing"),
        "bits_per_parameter": _per_parameter("all learned bits over parameters (R)"),
        "most_bits_per_parameter": _per_parameter("the same of a model that knows everything (Rmax)", low=0),
        "status": STATUS,
    },
    key=[*ARM_KEY, "step", "weight_bits"],
    finite=("name_nats", "value_nats", "bits_per_parameter", "most_bits_per_parameter"),
    group=ARM_KEY,
)

EXPERIMENT = Experiment(
    name="capacity",
    title="Bits per parameter",
    data_options=CapacityData,
    measure_options=CapacityMeasures,
    data=f"{_ROOM}.data",
    plans=f"{_ROOM}.data",
    measures=f"{_ROOM}.measures",
    gates=f"{_ROOM}.gates",
    kernels=f"{_ROOM}.kernels",
    tables=(LAB_CAPACITY,),
    figures=(LabFigure("lab_capacity", f"{_ROOM}.figures.lab_capacity", ("lab_capacity",)),),
)
