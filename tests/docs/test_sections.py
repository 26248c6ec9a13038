"""Options: declared once, in dataclasses whose docstrings hold their meanings."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import jsonschema
import pytest
from internal_physics.config.load import load_config
from internal_physics.config.options.record import RecordOptions
from internal_physics.config.options.steering import ContrastOptions, SteeringOptions
from internal_physics.config.validate import schema
from internal_physics.docs.config_sections import config_section
from internal_physics.docs.options_page import all_options, shown_default, some_options
from internal_physics.docs.schema import SCHEMA, config_schema, schema_text
from internal_physics.docs.sections import NOT_GIVEN, REQUIRED, Meaning, Section, read_section, section_of, unbound
from internal_physics.families.information.lens import LensOptions
from internal_physics.families.information.options import ReadingOptions
from internal_physics.families.registry import METRICS
from internal_physics.families.thermodynamics.options import PhaseOptions
from internal_physics.ground.closure import ROOT, script_files, significant_source
from internal_physics.ground.options import Count, Range, Size, names_of
from internal_physics.models.options import LoadOptions, ModelOptions
from internal_physics.models.sources import Source, parse_source
from internal_physics.statistics.options import StatisticsOptions

SCRIPTS = Path(__file__).parents[2] / "scripts"
PROMPTS = [{"name": name, "text": "some text"} for name in "abc"]


@dataclass(frozen=True)
class Base:
    """What all of them share.

    Attributes:
        size: how many
            there are.
    """

    size: Count = 3


@dataclass(frozen=True)
class Own(Base):
    """A section.

    More about it.

    Attributes:
        kind: which one, of two.
            - big: the big
              one.
            - small: the small one.
        texts: some texts.
    """

    kind: Literal["big", "small"] = "big"
    texts: Annotated[tuple[str, ...] | None, Size(1)] = None


def options(section):
    return {option.name: option for option in section.options}


def all_sections(section=None):
    section = section or config_section()
    yield section
    for option in section.options:
        if inner := section_of(option.kind):
            yield from all_sections(read_section(inner))


def test_the_schema_is_what_the_dataclasses_give():
    kept, made = (SCRIPTS.parent / SCHEMA).read_text(encoding="utf-8"), schema_text(config_schema(config_section()))
    lines = difflib.unified_diff(kept.splitlines(), made.splitlines(), SCHEMA, "by `make docs`", lineterm="")
    assert kept == made, "run `make docs`:\n" + "\n".join(lines)


def test_a_section_has_types_and_defaults_of_the_fields_and_meanings_of_the_docstring():
    section = read_section(Own)
    assert section.meaning == "A section."
    found = options(section)
    assert list(found) == ["size", "kind", "texts"]
    assert found["size"].meaning == Meaning("How many there are.", {})
    assert found["kind"].meaning == Meaning("Which one, of two.", {"big": "the big one.", "small": "the small one."})
    assert (found["size"].default, found["kind"].default, found["texts"].default) == (3, "big", NOT_GIVEN)
    rules = config_schema(section)["properties"]
    assert rules["size"] == {"description": "How many there are.", "type": "integer", "minimum": 1, "default": 3}
    assert rules["kind"]["description"] == "Which one, of two. big: the big one. small: the small one."
    assert rules["texts"] == {"description": "Some texts.", "type": "array", "items": {"type": "string"}, "minItems": 1}


@dataclass
class Silent:
    """A section."""

    size: int = 1


@dataclass
class Bare:
    size: int = 1


@dataclass
class Chatty:
    """A section.

    Attributes:
        size: how many.
        weight: how much.
    """

    size: int = 1


@dataclass
class Half:
    """A section.

    Attributes:
        kind: which one.
            - big: the big one.
    """

    kind: Literal["big", "small"] = "big"


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (Silent, "Silent.size has no meaning"),
        (Bare, "Bare has no docstring"),
        (Chatty, r"documents \['weight'\], which are no options"),
        (Half, "Half.kind explains big: expected"),
    ],
)
def test_a_missing_or_superfluous_meaning_is_an_error(cls, words):
    with pytest.raises(ValueError, match=words):
        read_section(cls)


def test_every_choice_of_the_config_is_explained_somewhere():
    choices, explained = set(), set()
    for section in all_sections():
        for option in section.options:
            if get_origin(unbound(option.kind)) is Literal:
                choices.add(get_args(unbound(option.kind)))
                explained |= {get_args(unbound(option.kind))} if option.meaning.values else set()
    assert len(choices) >= 7
    assert choices == explained


def test_metrics_are_those_of_the_registry_each_with_what_it_measures():
    metrics = options(config_section())["metrics"]
    assert tuple(metrics.meaning.values) == metrics.default == tuple(METRICS)
    assert schema()["properties"]["metrics"]["items"]["enum"] == list(METRICS)
    assert all(name in schema()["properties"]["metrics"]["description"] for name in METRICS)


def test_defaults_of_the_config_equal_those_of_the_functions():
    raw = load_config({"models": {"m": {"source": "path:x"}}, "prompt_sets": {"s": {"prompts": PROMPTS}}}).raw
    own = {key: value for key, value in raw["record"].items() if key != "prompts_per_job"}
    assert RecordOptions(**own) == RecordOptions()
    assert LoadOptions(**{name: raw["models"]["m"][name] for name in names_of(ModelOptions)}) == LoadOptions()
    assert LensOptions(**{name: raw["information"][name] for name in names_of(ReadingOptions)}) == LensOptions()
    assert PhaseOptions(**raw["thermodynamics"]) == PhaseOptions()
    assert StatisticsOptions(**raw["statistics"]) == StatisticsOptions()
    of_source = {key: raw["models"]["m"][key] for key in ("file", "sha256", "allow_pickle", "trust_remote_code")}
    assert parse_source("path:x", **of_source) == parse_source("path:x") == Source("path", "x")


def test_a_steering_condition_has_the_defaults_of_its_dataclasses():
    contrast = {"positive": ["good"], "negative": ["bad"]}
    raw = load_config({
        "models": {"m": {"source": "path:x"}},
        "prompt_sets": {"s": {"prompts": PROMPTS}},
        "conditions": {"c": {"contrast": contrast}},
    }).raw["conditions"]["c"]  # fmt: skip
    assert raw == {"contrast": {**contrast, "method": ContrastOptions.method}, "scale": SteeringOptions.scale}


@pytest.mark.parametrize("given", [{"seed": -1}, {"seed": 0.5}])
def test_bounds_hold_for_options_that_may_be_left_out(given):
    config = {
        "models": {"m": {"source": "path:x"}},
        "prompt_sets": {"s": {"generate": {"sentences": 3, "template": "x", **given}}},
    }
    errors = jsonschema.Draft202012Validator(schema()).iter_errors(config)
    assert [list(error.absolute_path) for error in errors] == [["prompt_sets", "s", "generate", "seed"]]


@pytest.mark.parametrize(
    ("prompt", "is_good"),
    [
        ({"name": "a", "text": "b"}, True),
        ({"name": "a", "text": "b", "answer": "c"}, True),
        ({"name": "a"}, False),
        ({"name": "a", "text": 1}, False),
        ({"name": "../a", "text": "b"}, False),
        ({"name": "a", "text": "b", "knd": "c"}, False),
    ],
)
def test_an_editor_checks_prompts_by_the_schema(prompt, is_good):
    config = {"models": {"m": {"source": "path:x"}}, "prompt_sets": {"s": {"prompts": [prompt]}}}
    assert jsonschema.Draft202012Validator(schema()).is_valid(config) == is_good


class TestStaleness:
    def test_rewording_a_meaning_makes_no_record_stale(self):
        text = (ROOT / "internal_physics/config/options/record.py").read_text(encoding="utf-8")
        reworded = text.replace("the exact norm of each parameter's gradient", "‖G‖")
        assert reworded != text
        assert significant_source(reworded) == significant_source(text)

    def test_changing_a_default_makes_records_stale(self):
        text = (ROOT / "internal_physics/config/options/record.py").read_text(encoding="utf-8")
        assert significant_source(text.replace("= 1024", "= 512")) != significant_source(text)

    @pytest.mark.parametrize(
        ("script", "reached"),
        [
            (
                "record",
                {*(f"config/options/{name}.py" for name in ("record", "steering", "text")), "models/options.py"},
            ),
            ("spectra", {"models/options.py"}),
            ("phases", {"families/thermodynamics/options.py"}),
            ("information", {"families/information/options.py", "models/options.py"}),
            ("collect", {"statistics/options.py", "models/options.py"}),
        ],
    )
    def test_a_script_reaches_the_options_that_it_uses(self, script, reached):
        files = {
            file.relative_to(ROOT / "internal_physics").as_posix() for file in script_files(SCRIPTS / f"{script}.py")
        }
        found = {name for name in files if name.endswith("options.py") or name.startswith("config/options/")}
        assert found - {"config/options/__init__.py", "ground/options.py"} == reached


def anchors_of(page):
    return [line.split('"')[1] for line in page.splitlines() if line.startswith('| <a id="')]


class TestOptionsPage:
    def test_every_option_has_a_row_with_an_anchor_of_its_own(self):
        anchors = anchors_of(all_options(config_section()))
        assert len(anchors) == len(set(anchors)) == sum(len(section.options) for section in all_sections())

    def test_every_link_leads_somewhere(self):
        page = all_options(config_section())
        headings = {line.lstrip("# ").replace(".", "") for line in page.splitlines() if line.startswith("##")}
        targets = {part.split(")")[0] for part in page.split("](#")[1:]}
        assert len(targets) >= 10
        assert targets <= headings | set(anchors_of(page))

    def test_some_options_are_those_with_the_prefix_and_link_to_the_page_of_all(self):
        some = some_options(config_section(), "conditions", "../options.md")
        assert some.count("\n") == 2 + 1 + 8 + 3
        assert "](../options.md#conditionscontrast)" in some
        assert anchors_of(some) == []
        with pytest.raises(KeyError, match="no option begins with 'recrd'"):
            some_options(config_section(), "recrd", "")

    def test_a_default_is_shown_as_in_a_sentence(self):
        assert shown_default(config_section(), "statistics.confidence_level") == "0.95"
        assert shown_default(config_section(), "models.<name>.dtype") == "float32"
        with pytest.raises(KeyError):
            shown_default(config_section(), "statistics.level")

    def test_a_bar_in_a_meaning_does_not_end_its_cell(self):
        assert r"has \|dT\| below" in all_options(config_section())

    def test_a_choice_is_explained_in_its_row(self):
        page = all_options(Section("x", (options(read_section(Own))["kind"],)))
        row = "| `big`, `small` | `big` | Which one, of two.<br>`big`: the big one.<br>`small`: the small one. |"
        assert row in page

    def test_values_say_type_and_bounds(self):
        page = all_options(config_section())
        assert "| number > 0, < 1 | `0.95` |" in page
        assert "| whole number ≥ 0 |  | Seed of the choice of sentences." in page
        assert "| text | required |" in page


def test_bounds_are_written_by_their_names():
    assert get_args(Count)[1] == Range(minimum=1)
    assert REQUIRED is not NOT_GIVEN
