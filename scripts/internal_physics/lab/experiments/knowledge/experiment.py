"""The description of the experiment `knowledge`."""

from internal_physics.config.options.lab_knowledge import KnowledgeData, KnowledgeMeasures
from internal_physics.lab.data.manipulations import TASKS
from internal_physics.lab.data.pools import ATTRIBUTES
from internal_physics.lab.experiments.experiment import ARM_KEY, OF_ARM, STEP, Experiment, LabFigure, Learned
from internal_physics.tables.columns import STATUS, TEXT, Column
from internal_physics.tables.table import Table

_ROOM = "internal_physics.lab.experiments.knowledge"
BIOGRAPHY, QUESTION = "biography", "question"
TRAINED, TESTED = "trained", "tested"
ALL = "all"
TRAINED_WEIGHTS, INITIAL = "trained", "initial"
AFTER_NAME = 0  # place of a probe that reads a name alone

LAB_KNOWLEDGE = Table(
    "lab_knowledge",
    columns=OF_ARM
    | {
        "step": STEP,
        "augmentation": Column(TEXT, "", "how the texts of the tested people differ: single, multi5+permute1, …"),
        "celebrities": Column("int64", "people", "further people, about whom all trained questions are", low=0),
        "task": Column(
            TEXT,
            "",
            "biography: the words of a value, each predicted from the stored text before it; "
            "question: the whole answer, after questions about the trained people were learned",
            allowed=(BIOGRAPHY, QUESTION),
        ),
        "people": Column(
            TEXT,
            "",
            "those whom questions were trained on, or those who were only asked about",
            allowed=(TRAINED, TESTED),
        ),
        "attribute": Column(TEXT, "", "what is asked; all: the mean over the six", allowed=(*ATTRIBUTES, ALL)),
        "n_people": Column("int64", "people", "people that the share is of", low=1),
        "accuracy": Column("float64", "1", "share that is right, word by word or answer by answer", low=0, high=1),
        "chance": Column("float64", "1", "the same of the commonest value among these people", low=0, high=1),
        "status": STATUS,
    },
    key=[*ARM_KEY, "step", "task", "people", "attribute"],
    finite=("accuracy", "chance"),
    group=ARM_KEY,
)

LAB_MANIPULATION = Table(
    "lab_manipulation",
    columns=OF_ARM
    | {
        "task": Column(
            TEXT,
            "",
            "parity: whether the month of birth is even, said at once; parity_with_hint: the same after the month; "
            "comparison: whether the first of two people has the later month; year: the year without month and day; "
            "inverse: the first name of a person with the six given values",
            allowed=TASKS,
        ),
        "people": Column(
            TEXT,
            "",
            "those about whom the task was trained, or those who were only asked about",
            allowed=(TRAINED, TESTED),
        ),
        "n_asked": Column("int64", "questions", "questions that the share is of", low=1),
        "accuracy": Column("float64", "1", "share of answers whose last word is right", low=0, high=1),
        "chance": Column("float64", "1", "the same of the commonest last word", low=0, high=1),
        "status": STATUS,
    },
    key=[*ARM_KEY, "task", "people"],
    finite=("accuracy", "chance"),
    group=ARM_KEY,
)

LAB_KNOWLEDGE_PROBES = Table(
    "lab_knowledge_probes",
    columns=OF_ARM
    | {
        "augmentation": Column(TEXT, "", "how the texts of the tested people differ: single, multi5+permute1, …"),
        "celebrities": Column("int64", "people", "further people, on whom alone probes are fitted", low=0),
        "weights": Column(
            TEXT, "", "of the trained model, or its first ones before training", allowed=(TRAINED_WEIGHTS, INITIAL)
        ),
        "place": Column(
            "int64",
            "sentence",
            "the probe reads a text at the word before the value of this sentence, 1 to 6; 0: it reads a name alone",
            low=AFTER_NAME,
            high=len(ATTRIBUTES),
        ),
        "attribute": Column(TEXT, "", "what the probe tells; of the birth date only the month", allowed=ATTRIBUTES),
        "n_people": Column("int64", "people", "people whose texts or names the share is of", low=1),
        "accuracy": Column(
            "float64", "1", "share of texts or names of the tested people that it tells right", low=0, high=1
        ),
        "chance": Column(
            "float64",
            "1",
            "share of the tested people with the value that is commonest where it was fitted",
            low=0,
            high=1,
        ),
        "status": STATUS,
    },
    key=[*ARM_KEY, "weights", "place", "attribute"],
    finite=("accuracy", "chance"),
    group=ARM_KEY,
)

EXPERIMENT = Experiment(
    name="knowledge",
    title="Knowledge and its extraction",
    data_options=KnowledgeData,
    measure_options=KnowledgeMeasures,
    data=f"{_ROOM}.data",
    plans=f"{_ROOM}.data",
    measures_masked=True,
    measures=f"{_ROOM}.measures",
    gates=f"{_ROOM}.gates",
    kernels=f"{_ROOM}.kernels",
    tables=(LAB_KNOWLEDGE, LAB_MANIPULATION, LAB_KNOWLEDGE_PROBES),
    figures=(
        LabFigure("lab_knowledge", f"{_ROOM}.figures.lab_knowledge", ("lab_knowledge",)),
        LabFigure("lab_knowledge_probes", f"{_ROOM}.figures.lab_knowledge_probes", ("lab_knowledge_probes",)),
    ),
    learned=Learned("lab_knowledge", "accuracy", (("task", BIOGRAPHY), ("people", TESTED), ("attribute", ALL))),
)
