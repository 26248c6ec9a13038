"""Description of a family: plain data that the Snakefile, the checks, the report and the documentation read.

No pandas, no torch. A metric's or figure's own module never imports this: a new family must not make it stale.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum

from internal_physics.tables.table import Quantity, Table

# A thing is made if, of each group, at least one name was asked for: a metric of the config, or a feature of it:
Needs = tuple[tuple[str, ...], ...]
CONDITIONS = "conditions"  # the config has steering conditions
WATCH = "watch"  # the config follows chosen tokens along depth
SEVERAL = "several models"  # at least two models of the config run the same prompt set
SKETCHES = "sketches"  # at least one prompt set keeps sketches of weight gradients
JACOBIANS = "jacobians"  # the config names prompts whose blocks are linearised
FACTORS = "factors"  # at least one prompt set keeps exact weight gradients
CHECKPOINTS = "checkpoints"  # at least two models are checkpoints of one training


class Score(StrEnum):
    """How a metric's rows become rows of table `scores`."""

    NONE = "none"
    PROMPT = "prompt"  # one number per prompt, named as the metric: its mean over the prompts of a set
    SET = "set"  # one number of the prompt set, with an interval of its own
    QUANTITIES = "quantities"  # several numbers per prompt, each a score under its quantity's name


class Per(StrEnum):
    """What a figure is drawn once for; it is part of the file's name: {figure}-{prompt_set}, {figure}-{model}."""

    PROMPT_SET = "prompt set"
    STEERED_SET = "steered prompt set"
    COMPARED_SET = "prompt set of several models"
    MODEL = "model"
    RUN = "run"


@dataclass(frozen=True)
class Metric:
    """A metric: a value of the config's `metrics`, and the files results/metrics/{name}/{model}/{condition}.parquet.

    Attributes:
        name: as in the config.
        title: as a person writes it.
        rule: the rule that computes it: `metric`, or one of its own.
        module: the metric module that these rules measure with (see tables.measure); empty where the rule needs more.
        options: names of the config's `statistics` that its function takes.
        score: its part in table `scores`.
        scores: names in table `scores` that every model and prompt set has.
        units: of those scores that are no plain numbers: name -> unit.
        smaller_is_better: whether its score is zero or more and takes part in `scores_normalized`.
        in_layers: whether its rows by layer go into table `layers`; else the family has a table for them.
        between_conditions: whether its rows are numbers of a run, which table `comparisons` compares with the baseline.
        layer_quantities: what those rows hold, and the ranges of their values.
        min_prompts: fewest prompts of a set that it is defined for.
        needs_weight_gradients: whether a record without norms or factors has nothing for it.
        published: files and folders beside tables and figures, in a published form; {model} is each model's name.
    """

    name: str
    title: str
    module: str = ""
    rule: str = "metric"
    options: tuple[str, ...] = ()
    score: Score = Score.NONE
    scores: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    smaller_is_better: bool = False
    in_layers: bool = True
    between_conditions: bool = True
    layer_quantities: tuple[Quantity, ...] = ()
    min_prompts: int = 1
    needs_weight_gradients: bool = False
    published: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A kind of figure.

    Attributes:
        name: of its files in results/figures.
        per: what it is drawn once for.
        tables: the tables that it reads.
        files: other inputs: name -> path with {model}, one for each model.
        params: what it takes of the run: models, prompt_sets, lens_prompts, seed, statistics.
        options: fixed arguments, where several kinds share a module.
        module: its module in the family's folder `figures`; the kind's name unless it is given.
        needs: when it is drawn.
        only_with: name of a table; if it is empty, as that of experts is where no model has any, the report
            leaves the figures out. "" for those that always have something to show.
        mem_mb: memory of its job.
    """

    name: str
    per: Per
    tables: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    params: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    module: str = ""
    needs: Needs = ()
    only_with: str = ""
    mem_mb: int = 1000


@dataclass(frozen=True)
class Family:
    """A family: what it computes, its tables and its figures.

    Attributes:
        name: its folder in families.
        title: as a person writes it.
        metrics: in the order of the config's documentation.
        tables: table (see the family's tables.py) -> when it is made.
        from_metric: name of a table -> the metric whose rows alone it is made of, by rule `table`. The family has a
            module of the table's name for that, see tables.from_metric.
        figures: in the order of the report.
        options: the dataclass of its section of the config, which has the family's name; None for no section.
        caption_facts: a module whose `caption_facts(tables, name)` gives further placeholders to the captions of its
            figures; `name` is the model or prompt set of a figure, or "" for one of the run.
        caption_tables: the tables that it reads, whole.
        findings_tables: tables from which its module findings.py makes sentences for the top of the report.
        lens_files: path, with {model} and {condition}, of the predictions of every residual at every position of every
            prompt, which the explorer shows as a grid (columns as in information.rows.position_rows); "" for none.
        lens_needs: when they are made.
    """

    name: str
    title: str
    metrics: tuple[Metric, ...] = ()
    tables: Mapping[Table, Needs] = field(default_factory=dict)
    from_metric: Mapping[str, str] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    options: type | None = None
    caption_facts: str = ""
    caption_tables: tuple[str, ...] = ()
    findings_tables: tuple[str, ...] = ()
    lens_files: str = ""
    lens_needs: Needs = ()

    def table_module(self, table: str) -> str:
        """Dotted name of the module that makes a table of `from_metric`."""
        return f"internal_physics.families.{self.name}.{table}"

    @property
    def findings_module(self) -> str:
        """Dotted name of the module that makes its findings."""
        return f"internal_physics.families.{self.name}.findings"

    def module_of(self, figure: Figure) -> str:
        """Dotted name of the module that draws a figure."""
        return f"internal_physics.families.{self.name}.figures.{figure.module or figure.name}"


def is_wanted(needs: Needs, asked: Set[str]) -> bool:
    """Whether something with these needs is made where these metrics and features were asked for."""
    return all(asked & set(group) for group in needs)
