"""The description of the experiment `reasoning`."""

from internal_physics.config.options.lab_reasoning import ReasoningData, ReasoningMeasures
from internal_physics.lab.experiments.experiment import ARM_KEY, OF_ARM, STEP, Experiment, LabFigure, Learned
from internal_physics.lab.experiments.solutions import ACCURACY, RETRIES, UNNECESSARY_PARAMETERS
from internal_physics.lab.probes.problem_columns import PROBED, RANDOM, TRAINED
from internal_physics.tables.columns import STATUS, TEXT, Column
from internal_physics.tables.table import Table

_ROOM = "internal_physics.lab.experiments.reasoning"
OPERATIONS = Column("int64", "operations", "parameters that the answer needs, one operation each", low=1)

LAB_REASONING = Table(
    "lab_reasoning",
    columns=OF_ARM
    | {
        "step": STEP,
        "operations": OPERATIONS,
        "in_training": Column("bool", "", "whether problems of training had as many operations"),
        "n_problems": Column("int64", "problems", "fresh ones that the model solved by itself", low=0),
        "accuracy": ACCURACY,
        "answer_accuracy": Column("float64", "1", "share whose last step has the right answer", low=0, high=1),
        "unnecessary_parameters": UNNECESSARY_PARAMETERS,
        "unnecessary_at_random": Column(
            "float64",
            "parameters",
            "the same of a solver without a plan, which computes anything that it can until it has the answer",
            low=0,
        ),
        "retries": RETRIES,
        "retried_share": Column("float64", "1", "share of correct solutions with at least one retry", low=0, high=1),
        "status": STATUS,
    },
    key=[*ARM_KEY, "step", "operations"],
    finite=("accuracy", "answer_accuracy", "unnecessary_at_random", "retries"),
    group=ARM_KEY,
)

LAB_REASONING_ALONG = Table(
    "lab_reasoning_along",
    columns=OF_ARM
    | {
        "step": STEP,
        "n_problems": Column("int64", "problems", "fresh ones that the model solved by itself", low=1),
        "accuracy": Column(
            "float64", "1", "share solved with every step right; as many problems of each op of training", low=0, high=1
        ),
        "status": STATUS,
    },
    key=[*ARM_KEY, "step"],
    finite=("accuracy",),
    group=ARM_KEY,
)

LAB_REASONING_ERRORS = Table(
    "lab_reasoning_errors",
    columns=OF_ARM
    | {
        "operations": OPERATIONS,
        "error": Column(TEXT, "", "kind of a solution's first error"),
        "n_solutions": Column("int64", "solutions", "whose first error is of this kind", low=0),
        "share": Column("float64", "1", "of all solutions", low=0, high=1),
        "status": STATUS,
    },
    key=[*ARM_KEY, "operations", "error"],
    finite=("share",),
    group=ARM_KEY,
)

LAB_REASONING_PROBES = Table(
    "lab_reasoning_probes",
    columns=OF_ARM | PROBED,
    key=[*ARM_KEY, "task", "told_by"],
    finite=("accuracy",),
    group=ARM_KEY,
)

LAB_REASONING_DEPTH = Table(
    "lab_reasoning_depth",
    columns=OF_ARM
    | {
        "told_by": Column(
            TEXT,
            "",
            "a probe of the trained model, or the same of a model with random weights: does the answer need it?",
            allowed=(TRAINED, RANDOM),
        ),
        "layer": Column("int64", "blocks", "after which the probe reads the residual", low=1),
        "distance": Column("int64", "dependencies", "on the shortest way from the query to the parameter", low=1),
        "accuracy": Column(
            "float64",
            "1",
            "mean of the accuracies on needed parameters at this distance and on all that are not needed",
            low=0,
            high=1,
        ),
        "n_items": Column("int64", "questions", "about needed parameters at this distance", low=1),
        "status": STATUS,
    },
    key=[*ARM_KEY, "told_by", "layer", "distance"],
    finite=("accuracy",),
    group=ARM_KEY,
)

LAB_REASONING_FORESIGHT = Table(
    "lab_reasoning_foresight",
    columns=OF_ARM
    | {
        "signal": Column(
            TEXT,
            "",
            "taking_back: probability of BACK after a parameter's name; probe: one minus the probability that a probe "
            "gives to `it can be computed now`, before the model's own steps; entropy, surprisal (of what the model "
            "chose) and last_gain (of the residual), before each step that the model itself chose and kept",
            allowed=("taking_back", "probe", "entropy", "surprisal", "last_gain"),
        ),
        "operations": OPERATIONS,
        "item": Column("int64", "", "number of the parameter that was shown or chosen", low=0),
        "is_wrong": Column("bool", "", "whether it cannot be computed yet, or a choice of the model was wrong"),
        "value": Column("float64", "1 or nats", "the signal; entropy and surprisal in nats, the others have no unit"),
        "status": STATUS,
    },
    key=[*ARM_KEY, "signal", "operations", "item"],
    finite=("value",),
    group=ARM_KEY,
)

LAB_REASONING_PATHS = Table(
    "lab_reasoning_paths",
    columns=OF_ARM
    | {
        "operations": OPERATIONS,
        "item": Column("int64", "", "number of the problem; arms of a seed solve the same ones", low=0),
        "problem": Column(TEXT, "", "sentences and question, as the model reads them"),
        "solution": Column(TEXT, "", "what the model wrote"),
        "is_correct": Column("bool", "", "whether every step is right and the answer is reached"),
        "error": Column(TEXT, "", "kind of the first error; none for a correct solution", is_optional=True),
    },
    key=[*ARM_KEY, "operations", "item"],
    group=ARM_KEY,
)

_FIGURES = {
    "lab_reasoning_accuracy": ("lab_reasoning",),
    "lab_reasoning_errors": ("lab_reasoning_errors",),
    "lab_reasoning_probes": ("lab_reasoning_probes", "lab_reasoning_depth"),
    "lab_reasoning_foresight": ("lab_reasoning_foresight",),
    "lab_reasoning_uncertainty": ("lab_reasoning_foresight",),
    "lab_reasoning_paths": ("lab_reasoning_paths",),
}

EXPERIMENT = Experiment(
    name="reasoning",
    title="Reasoning step by step",
    data_options=ReasoningData,
    measure_options=ReasoningMeasures,
    data=f"{_ROOM}.data",
    plans=f"{_ROOM}.data",
    measures=f"{_ROOM}.measures",
    gates=f"{_ROOM}.gates",
    tables=(
        LAB_REASONING,
        LAB_REASONING_ALONG,
        LAB_REASONING_ERRORS,
        LAB_REASONING_PROBES,
        LAB_REASONING_DEPTH,
        LAB_REASONING_FORESIGHT,
        LAB_REASONING_PATHS,
    ),
    figures=tuple(LabFigure(name, f"{_ROOM}.figures.{name}", tables) for name, tables in _FIGURES.items()),
    learned=Learned(LAB_REASONING_ALONG.name, "accuracy"),
)
