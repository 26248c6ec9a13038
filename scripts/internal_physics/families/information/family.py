"""The description of the family information."""

from dataclasses import dataclass
from typing import Annotated

from internal_physics.families.family import Family, Figure, Metric, Per
from internal_physics.families.information.options import ReadingOptions
from internal_physics.families.information.tables import DECIDED, DECIDED_MEANS, INFORMATION, PREDICTIONS
from internal_physics.ground.options import Size, Text

ASKED = (("information",),)
BY_SET = ("models", "prompt_sets")
QUANTITIES = {
    "information_entropy": "entropy_nats",
    "information_perplexity": "perplexity",
    "information_margin": "margin",
    "information_kl_uniform": "kl_uniform_nats",
    "information_attention": "attention_entropy_nats",
    "information_surprisal": "surprisal_nats",
}


@dataclass(frozen=True)
class InformationOptions(ReadingOptions):
    """How the information at each layer is read (the logit lens). Changing it records nothing again.

    Attributes:
        sampling: draw the predicted tokens at random (different ones, seeded) instead of taking the most probable.
        watch: tokens whose probability is followed along depth on every prompt and compared between conditions, as the
            tokenizer writes them, with the space before a word (" happy"). Each must be one token of every model.
        lens_prompt: the prompt whose lens is drawn, as set/name; empty for the first prompt of the first set.
    """

    sampling: bool = False
    watch: Annotated[tuple[Text, ...], Size(unique=True)] = ()
    lens_prompt: str = ""


FAMILY = Family(
    name="information",
    title="Information along depth",
    findings_tables=("decided", "decided_means"),
    options=InformationOptions,
    lens_files="results/lens/{model}/{condition}/positions.parquet",
    lens_needs=ASKED,
    metrics=(
        Metric(
            "information",
            "Information",
            rule="information",
            in_layers=False,
            published=tuple(f"results/information/{part}" for part in ("standard", "control", "comparative")),
        ),
    ),
    tables=dict.fromkeys((INFORMATION, DECIDED, DECIDED_MEANS, PREDICTIONS), ASKED),
    figures=(
        Figure("decided", Per.PROMPT_SET, tables=("information", "decided"), params=BY_SET, needs=ASKED, mem_mb=2000),
        Figure(
            "information_profiles", Per.PROMPT_SET, tables=("information",), params=BY_SET, needs=ASKED, mem_mb=2000
        ),
        Figure(
            "lens_heatmap",
            Per.MODEL,
            files={"positions": "results/lens/{model}/baseline/positions.parquet"},
            params=("lens_prompts",),
            needs=ASKED,
        ),
        Figure(
            "token_trajectories",
            Per.RUN,
            files={"tokens": "results/lens/{model}/baseline/tokens.parquet"},
            params=("lens_prompts",),
            needs=ASKED,
        ),
        *(
            Figure(
                name,
                Per.RUN,
                tables=("information",),
                params=BY_SET,
                options={"quantity": quantity},
                module="information_metric",
                needs=ASKED,
                mem_mb=2000,
            )
            for name, quantity in QUANTITIES.items()
        ),
    ),
)
