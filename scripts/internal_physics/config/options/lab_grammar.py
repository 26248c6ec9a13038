"""Options of the lab's experiment `grammar`: the data of an arm, and what is measured on it. No heavy imports."""

from dataclasses import dataclass
from typing import Annotated, Literal

from internal_physics.ground.options import Count, NaturalNumber, Range, Size, Text


@dataclass(frozen=True)
class GrammarData:
    """Fresh random strings of a grammar at every step.

    Attributes:
        grammar: name of a grammar of the package (cfg3b, cfg3f), or a YAML file with `levels` and `rules`. With
            `rules_seed`: the shape of a published grammar (cfg3b … cfg3k).
        rules_seed: draw the rules of a grammar of that shape with this seed; not given: the rules are in a file.
        root: train on the part of the grammar below this symbol; 0 for the whole grammar.
        steps: of the training.
        rows_per_step: rows of a training step.
        tokens_per_row: tokens of a row.
        concatenated: rows are windows of strings one after another, `<eos>` between them; if not, one string a row.
    """

    grammar: Text = "cfg3f"
    rules_seed: NaturalNumber | None = None
    root: NaturalNumber = 13
    steps: Count = 2400
    rows_per_step: Count = 24
    tokens_per_row: Annotated[int, Range(minimum=3)] = 64
    concatenated: bool = True


@dataclass(frozen=True)
class GrammarMeasures:
    """What is measured on a model of a grammar.

    Attributes:
        cuts: how many tokens of a fresh string are given before the model goes on by itself.
        n_generated: strings that the model finishes for each cut.
        n_strings: fresh strings for the distance of distributions and for attention.
        n_probed: fresh strings for probes; half of them to fit, half to judge.
        probe: what a probe reads.
            - diagonal: the token's own residual.
            - multi_head: residuals of all tokens that it may read, weighted by their places only.
        random_draws: models with random weights of the trained one's shape, each probed like it; their mean is the
            control.
        probe_heads: heads of the multi_head probe.
        probe_steps: training steps of the multi_head probe.
    """

    cuts: Annotated[tuple[NaturalNumber, ...], Size(1, unique=True)] = (0, 10)
    n_generated: Count = 300
    n_strings: Count = 200
    n_probed: Annotated[int, Range(minimum=20)] = 600
    probe: Literal["diagonal", "multi_head"] = "diagonal"
    random_draws: Count = 6
    probe_heads: Count = 16
    probe_steps: Count = 300
