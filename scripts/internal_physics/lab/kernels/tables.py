"""The table of the lab's kernels. No pandas."""

from internal_physics.lab.experiments.experiment import ARM_KEY, OF_ARM, STEP, LabFigure
from internal_physics.tables.columns import STATUS, TEXT, Column
from internal_physics.tables.table import Table

NAME, TITLE = "kernels", "Gradients of lab models (exploratory)"  # in the report
SAME, OTHER, MARGIN = "same_person_cosine", "other_person_cosine", "person_margin"
ALIGNMENT, DEBIASED = "alignment", "debiased_alignment"
RANK, COSINE_RANK = "effective_rank", "cosine_effective_rank"

LAB_KERNEL = Table(
    "lab_kernel",
    columns=OF_ARM
    | {
        "experiment": Column(TEXT, "", "whose data the arm reads"),
        "step": STEP,
        "exposures": Column("float64", "texts", "texts of each person so far; empty where all data are fresh", low=0),
        "quantity": Column(
            TEXT,
            "",
            f"{SAME}: mean cosine between the answer to a question about a person and the same value in that person's "
            f"text; {OTHER}: the same with texts of other people; {MARGIN}: the first minus the second; "
            f"{ALIGNMENT}: CKA of the cosine kernel with the kernel of labels of `of`; {DEBIASED}: the same without "
            f"diagonals, near 0 for labels that have nothing to do with it; {RANK}: of the kernel, between 1 and "
            f"`n_scalars`; {COSINE_RANK}: of the cosine kernel, in which all gradients count equally",
            allowed=(SAME, OTHER, MARGIN, ALIGNMENT, DEBIASED, RANK, COSINE_RANK),
        ),
        "of": Column(TEXT, "", "labels: a level of the tree, as NT6; else all"),
        "value": Column("float64", "1", "of the quantity"),
        "n_scalars": Column("int64", "", "log-probabilities of next tokens whose gradients are compared", low=1),
        "source": Column(
            TEXT,
            "",
            "factors: the exact kernel; sketch: an estimate, for models of more than a million numbers",
            allowed=("factors", "sketch"),
        ),
        "status": STATUS,
    },
    key=[*ARM_KEY, "step", "quantity", "of"],
    finite=("value",),
    group=ARM_KEY,
)

FIGURE = LabFigure("lab_kernel", "internal_physics.lab.kernels.figures.lab_kernel", (LAB_KERNEL.name,))
