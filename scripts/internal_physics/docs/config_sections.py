"""The whole config as one section: what `config.options.run` declares, the metrics and the sections of all families."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from internal_physics.config.options.lab import LabSection
from internal_physics.config.options.run import Inputs, Settings
from internal_physics.docs.sections import Meaning, Option, Section, read_section
from internal_physics.families.registry import FAMILIES, FOLDER, METRICS
from internal_physics.ground.options import Size
from internal_physics.report.texts import gather_texts

METRICS_MEANING = "What to compute. All metrics are computed from the same records."


def config_section() -> Section:
    """The config: every option in the order of the resolved config."""
    inputs, settings = read_section(Inputs).options, read_section(Settings).options
    lab = Option("lab", LabSection, {}, Meaning(read_section(LabSection).meaning, {}))
    options = (*inputs, _metrics(), *_family_sections(), lab, *settings)
    return Section("Config of a run.", options)


def _metrics() -> Option:
    name: Any = Literal.__getitem__(tuple(METRICS))
    kind: Any = Annotated[tuple[name, ...], Size(1, unique=True)]
    return Option("metrics", kind, tuple(METRICS), Meaning(METRICS_MEANING, dict(_metric_meanings())))


def _metric_meanings() -> Iterator[tuple[str, str]]:
    """What the family's words say a metric measures, else the family's title."""
    words = gather_texts(FAMILIES, FOLDER).metrics
    for family in FAMILIES:
        for metric in family.metrics:
            yield metric.name, words.get(metric.name, {}).get("measures", f"{family.title}.")


def _family_sections() -> Iterator[Option]:
    for family in FAMILIES:
        if family.options is not None:
            yield Option(family.name, family.options, {}, Meaning(read_section(family.options).meaning, {}))
