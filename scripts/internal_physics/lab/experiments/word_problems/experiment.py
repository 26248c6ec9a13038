"""The description of the experiment `word_problems`."""

from internal_physics.config.options.lab_word_problems import WordProblemsData, WordProblemsMeasures
from internal_physics.lab.experiments.experiment import ARM_KEY, OF_ARM, STEP, Experiment, LabFigure
from internal_physics.lab.experiments.solutions import ACCURACY, RETRIES, UNNECESSARY_PARAMETERS
from internal_physics.lab.probes.problem_columns import PROBED
from internal_physics.tables.columns import STATUS, Column
from internal_physics.tables.table import Table

_ROOM = "internal_physics.lab.experiments.word_problems"

LAB_WORD_PROBLEMS = Table(
    "lab_word_problems",
    columns=OF_ARM
    | {
        "step": STEP,
        "operations": Column("int64", "operations", "that the shortest solution needs, op", low=1),
        "is_asked_again": Column(
            "bool", "", "whether a random question was put instead, whose op and template may be any"
        ),
        "in_training": Column("bool", "", "whether problems of training had an op as large"),
        "n_problems": Column("int64", "problems", "drawn with a test template, that the model solved by itself", low=0),
        "accuracy": ACCURACY,
        "answer_accuracy": Column("float64", "1", "share with the right answer, however it came about", low=0, high=1),
        "unnecessary_parameters": UNNECESSARY_PARAMETERS,
        "unnecessary_operations": Column("float64", "operations", "mean number of their operations", low=0),
        "retries": RETRIES,
        "status": STATUS,
    },
    key=[*ARM_KEY, "step", "operations", "is_asked_again"],
    finite=("accuracy", "answer_accuracy", "retries"),
    group=ARM_KEY,
)

LAB_WORD_PROBES = Table(
    "lab_word_probes",
    columns=OF_ARM | PROBED,
    key=[*ARM_KEY, "task", "told_by"],
    finite=("accuracy",),
    group=ARM_KEY,
)

EXPERIMENT = Experiment(
    name="word_problems",
    title="Word problems",
    data_options=WordProblemsData,
    measure_options=WordProblemsMeasures,
    data=f"{_ROOM}.data",
    plans=f"{_ROOM}.limits",
    limits=f"{_ROOM}.limits",
    measures=f"{_ROOM}.measures",
    tables=(LAB_WORD_PROBLEMS, LAB_WORD_PROBES),
    figures=tuple(
        LabFigure(name, f"{_ROOM}.figures.{name}", (name,)) for name in ("lab_word_problems", "lab_word_probes")
    ),
)
