"""Options of the lab: which models are trained, on what, and how. No heavy imports.

An arm is one way to train: data, model and training. Each of its seeds is a job. Data options of an experiment are in
a module of their own, `lab_{experiment}`; what is measured afterwards is in other options, so that changing a probe
trains nothing again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from internal_physics.config.options.lab_capacity import CapacityData, CapacityMeasures
from internal_physics.config.options.lab_grammar import GrammarData, GrammarMeasures
from internal_physics.config.options.lab_junk import JunkData
from internal_physics.config.options.lab_knowledge import KnowledgeData, KnowledgeMeasures
from internal_physics.config.options.lab_reasoning import ReasoningData, ReasoningMeasures
from internal_physics.config.options.lab_rows import RowsData
from internal_physics.config.options.lab_training import LabModelOptions, TrainingOptions
from internal_physics.config.options.lab_word_problems import WordProblemsData, WordProblemsMeasures
from internal_physics.ground.options import Name, NaturalNumber, Size


@dataclass(frozen=True)
class ArmEntry:
    """A mapping with the data of one experiment, and the options that differ from their defaults.

    Attributes:
        model: the model that is trained.
        training: how it is trained.
        seeds: one training each, with data of its own; if they are not given: `lab.seeds`.
        starts_from: another arm with the same model; a training begins with the last weights of its training of the
            same seed, and not with random ones.
        rows: rows of words from a file.
        knowledge: biographies, and questions about them.
        capacity: people whose every attribute is random.
        junk: the same among texts of no use.
        grammar: strings of a grammar.
        reasoning: problems of several steps, and their solutions.
        word_problems: the same in English.
    """

    EXACTLY_ONE: ClassVar = ("rows", "knowledge", "capacity", "junk", "grammar", "reasoning", "word_problems")

    model: LabModelOptions = field(default_factory=LabModelOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    seeds: Annotated[tuple[NaturalNumber, ...] | None, Size(1, unique=True)] = None
    starts_from: Name | None = None
    rows: RowsData | None = None
    knowledge: KnowledgeData | None = None
    capacity: CapacityData | None = None
    junk: JunkData | None = None
    grammar: GrammarData | None = None
    reasoning: ReasoningData | None = None
    word_problems: WordProblemsData | None = None


@dataclass(frozen=True)
class LabMeasures:
    """What is measured on trained arms, by experiment. Changing it trains nothing again."""

    knowledge: KnowledgeMeasures = field(default_factory=KnowledgeMeasures)
    capacity: CapacityMeasures = field(default_factory=CapacityMeasures)
    grammar: GrammarMeasures = field(default_factory=GrammarMeasures)
    reasoning: ReasoningMeasures = field(default_factory=ReasoningMeasures)
    word_problems: WordProblemsMeasures = field(default_factory=WordProblemsMeasures)


@dataclass(frozen=True)
class LabSection:
    """Models that are trained here on data whose every bit is known. `snakemake lab` trains and measures them.

    Attributes:
        seeds: of every arm that gives none itself.
        arms: the trainings, by name.
        measures: what is measured on trained arms, by experiment. Changing it trains nothing again.
    """

    seeds: Annotated[tuple[NaturalNumber, ...], Size(1, unique=True)] = (0, 1)
    arms: Mapping[Name, ArmEntry] = field(default_factory=dict)
    measures: LabMeasures = field(default_factory=LabMeasures)
