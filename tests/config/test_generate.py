"""Generated sentences: seeded, different from one another, for both kinds of task."""

from collections import Counter

import pytest
from internal_physics.config.generate import MASK, TEMPLATES, generate, parse_grammar, read_grammar, to_yaml
from internal_physics.config.load import load_config
from internal_physics.config.prompts import read_prompts
from internal_physics.ground.errors import PromptError

RAW = {
    "templates": [{"text": "the {a} is {b}.", "gap": "b"}, {"text": "{b} {c}", "gap": "c"}],
    "fillers": {"a": ["x", "y"], "b": ["red", "blue", "green"], "c": ["1", "2"]},
}
GRAMMAR = parse_grammar(RAW, "here")
NAMES = sorted(path.stem for path in TEMPLATES.glob("*.yaml"))


def texts(prompts):
    return [prompt.text for prompt in prompts]


def test_asking_for_all_sentences_gives_every_combination_once():
    found = texts(generate(GRAMMAR, sentences=12, task="causal", seed=0))
    assert len(set(found)) == 12
    assert {"The x is red.", "The y is green.", "Blue 2"} <= set(found)


def test_names_depend_on_the_number_of_sentences_alone():
    assert [p.name for p in generate(GRAMMAR, sentences=3, task="causal", seed=5)] == [
        "sentence_0001",
        "sentence_0002",
        "sentence_0003",
    ]


def test_the_seed_decides():
    first, again, other = (texts(generate(GRAMMAR, sentences=6, task="causal", seed=s)) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_masked_sentence_has_one_gap_and_its_filler_as_answer():
    found = generate(GRAMMAR, sentences=5, task="masked", seed=0)
    assert len(set(texts(found))) == 5
    assert {p.text for p in found} == {
        "The x is [MASK].",
        "The y is [MASK].",
        "Red [MASK]",
        "Blue [MASK]",
        "Green [MASK]",
    }
    assert all(p.answer in (RAW["fillers"]["b"] if p.text.startswith("The") else RAW["fillers"]["c"]) for p in found)


def test_every_template_and_filler_is_about_equally_likely():
    found = generate(read_grammar("everyday"), sentences=900, task="masked", seed=0)
    counts = Counter(p.answer for p in found if p.kind == "template_2")
    assert len(counts) == 10
    assert max(counts.values()) < 5 * min(counts.values())


@pytest.mark.parametrize("task", ["causal", "masked"])
@pytest.mark.parametrize("name", NAMES)
def test_shipped_templates_make_200_clean_sentences(name, task):
    found = generate(read_grammar(name), sentences=200, task=task, seed=0)
    assert len(set(texts(found))) == 200
    for prompt in found:
        assert prompt.text.count(MASK) == (1 if task == "masked" else 0)
        assert prompt.text[0].isupper() or prompt.text.startswith(MASK)
        assert "{" not in prompt.text
        assert (prompt.answer is None) == (task == "causal")
        assert prompt.answer is None or " " not in prompt.answer


def test_asking_for_more_than_there_are_is_refused():
    with pytest.raises(PromptError, match="13 sentences, and its templates make 12"):
        generate(GRAMMAR, sentences=13, task="causal", seed=0)
    with pytest.raises(PromptError, match="6 sentences, and its templates make 5"):
        generate(GRAMMAR, sentences=6, task="masked", seed=0)


def with_template(**changes):
    return {**RAW, "templates": [{**RAW["templates"][0], **changes}]}


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        ([], "not a template file"),
        ({"templates": []}, "not a template file"),
        (with_template(text="the {z} is {b}"), "no fillers for 'z'"),
        (with_template(gap="c"), "slots a, b and gap 'c'"),
        (with_template(text="{b} is {b}"), "slots b, b and gap 'b'"),
        (with_template(hint="x"), "found {"),
        ({**RAW, "fillers": {**RAW["fillers"], "a": []}}, "found []"),
        ({**RAW, "fillers": {**RAW["fillers"], "a": ["x", "x"]}}, "a word is given twice"),
    ],
)
def test_a_wrong_template_file_is_refused(raw, what):
    with pytest.raises(PromptError) as error:
        parse_grammar(raw, "here")
    assert error.value.what.startswith(what)
    assert error.value.where.startswith("here")


def test_an_unknown_template_is_refused_with_the_known_ones():
    with pytest.raises(PromptError) as error:
        read_grammar("evryday", "my.yaml")
    assert error.value.where == "my.yaml"
    assert all(name in error.value.expected for name in NAMES)


def config(**wanted):
    sets = {"g": {"generate": {"sentences": 4, "template": "everyday", **wanted}}}
    return load_config({"models": {"m": {"source": "path:/x"}}, "prompt_sets": sets, "seed": 3})


def test_a_config_asks_for_sentences_with_the_runs_seed_or_its_own():
    expected = generate(read_grammar("everyday"), sentences=4, task="causal", seed=3)
    assert list(config().prompt_sets["g"].prompts) == expected
    assert list(config(seed=4).prompt_sets["g"].prompts) != expected
    assert load_config(config().resolved()).prompt_sets == config().prompt_sets


def test_a_written_prompt_set_reads_back_as_the_same_set(tmp_path):
    prompts = generate(GRAMMAR, sentences=5, task="masked", seed=0)
    path = tmp_path / "g.yaml"
    path.write_text(to_yaml(prompts, {"sentences": 5}), encoding="utf-8")
    assert read_prompts(path) == prompts


@pytest.mark.parametrize("templates", [None, 5, "text", {"text": "{a}"}, []])
def test_templates_that_are_not_a_list_are_refused(templates):
    with pytest.raises(PromptError, match="not a template file"):
        parse_grammar(RAW | {"templates": templates}, "here")


def test_two_templates_that_make_the_same_sentence_are_refused():
    twice = parse_grammar(RAW | {"templates": [RAW["templates"][0], {"text": "the {a} is {b}.", "gap": "a"}]}, "here")
    with pytest.raises(PromptError, match=r"template_. and template_. make the same sentence: 'The . is "):
        generate(twice, sentences=12, task="causal", seed=0)
