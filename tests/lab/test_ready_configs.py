"""The arms of the configs that come with the lab have training sets: exposures fill whole steps, sizes are possible."""

import importlib
from pathlib import Path

import pytest
from internal_physics.config.load import load_config
from internal_physics.config.options.lab_grammar import GrammarData
from internal_physics.config.options.lab_knowledge import KnowledgeData
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.lab.data.grammars.laws import length_bounds
from internal_physics.lab.data.reasoning.labels import labels_of
from internal_physics.lab.data.reasoning.nano import VOCABULARY, read_prompt, read_solution
from internal_physics.lab.data.reasoning.problem import Solution
from internal_physics.lab.data.vocabulary import END_ID, PADDING_ID
from internal_physics.lab.experiments.grammar.data import grammar_of
from internal_physics.lab.experiments.knowledge.data import taught
from internal_physics.lab.experiments.registry import EXPERIMENTS
from internal_physics.lab.options import made
from internal_physics.lab.train.job import batches_of
from internal_physics.plan.lab_requirements import refuse_impossible_arms

ROOT = Path(__file__).parents[2]
MANY_TEXTS = 200_000


def n_texts(data):
    return (
        data["people"] * data["augmentation"]["texts"] + data["celebrities"] * data["celebrity_augmentation"]["texts"]
    )


@pytest.mark.parametrize("name", ["lab", "lab-more", "lab-cluster", "lab-igsm", "lab-reasoning"])
def test_every_arm_has_steps_and_a_first_batch(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = load_config(load_yaml(ROOT / "config" / f"{name}.yaml"))
    refuse_impossible_arms(config.arms, config.raw["lab"]["measures"], name)
    for arm in config.arms.values():
        data = arm.options["data"]
        if arm.experiment == "knowledge" and n_texts(data) > MANY_TEXTS:
            continue  # half a million texts take long, and the arm with one text each has the same steps
        if (
            arm.experiment == "word_problems"
        ):  # a step of hundreds of windows takes long to draw, and each is like another
            data = {**data, "windows_per_step": 1}
        batches = batches_of(EXPERIMENTS[arm.experiment].data, data, arm.seeds[0])
        experiment = EXPERIMENTS[arm.experiment]
        if experiment.plans:
            planned = importlib.import_module(experiment.plans).planned_steps(made(experiment.data_options, data))
            assert planned == batches.steps, arm.name
        first = batches.at(batches.steps - 1)
        assert 0 < first.tokens.max() < len(batches.vocabulary), arm.name
        assert first.tokens.shape[1] <= batches.tokens_per_row, arm.name


@pytest.mark.parametrize("name", ["lab", "lab-cluster"])
def test_models_of_grammars_have_places_for_the_longest_string(name):
    """Measurements write and read whole strings; tables of positions end with the rows of the training."""
    arms = load_config(load_yaml(ROOT / "config" / f"{name}.yaml")).arms.values()
    of_grammars = [made(GrammarData, arm.options["data"]) for arm in arms if arm.experiment == "grammar"]
    assert len(of_grammars) >= 4
    for data in of_grammars:
        assert 1 + length_bounds(grammar_of(data))[1] + 1 <= data.tokens_per_row


def test_the_prompts_of_the_lab_are_beginnings_of_texts_of_people_of_their_seed_and_of_no_other(monkeypatch):
    """They are written out in the config: a changed generator must change them, too."""
    monkeypatch.chdir(ROOT)
    raw = load_yaml(ROOT / "config" / "lab.yaml")
    arm = load_config(raw).arms["know_single"]
    texts = {seed: texts_of(arm, seed) for seed in (0, 1)}
    for seed, own in texts.items():
        for prompt in raw["prompt_sets"][f"people_of_seed_{seed}"]["prompts"]:
            name = " ".join(prompt["text"].split()[:3])
            assert [text.startswith(f"{prompt['text']} employer") for text in own].count(True) == 1
            assert not any(text.startswith(name) for text in texts[1 - seed]), prompt["name"]


def texts_of(arm, seed):
    given = taught(made(KnowledgeData, arm.options["data"]), seed=seed)
    words = given.language.vocabulary.words
    return [" ".join(words(row[(row != PADDING_ID) & (row != END_ID)])) for row in given.rows.tokens]


def test_the_prompts_on_reasoning_end_with_a_parameter_that_can_be_computed_next_or_cannot():
    for prompt in load_yaml(ROOT / "config" / "lab-reasoning.yaml")["prompt_sets"]["steps"]["prompts"]:
        tokens = VOCABULARY.ids(prompt["text"].split()).tolist()
        begin = prompt["text"].split().index("!") + 1
        drawn = read_prompt(tokens[:begin])
        steps = read_solution(drawn, [*tokens[begin:-1], END_ID]).steps
        labels = labels_of(drawn.problem, Solution(steps))
        last = drawn.names.index(tokens[-1])
        assert str(drawn.problem.n_operations) == prompt["difficulty"]
        assert (prompt["kind"] == "ready") == labels.can_be_next[len(steps), last], prompt["name"]


def test_the_arms_on_reasoning_are_the_same_in_both_configs(monkeypatch):
    """So that a training of one is a training of the other."""
    monkeypatch.chdir(ROOT)
    of_lab, own = (load_config(load_yaml(ROOT / "config" / f"{name}.yaml")).arms for name in ("lab", "lab-reasoning"))
    for name, arm in own.items():
        assert (arm.options, arm.starts_from) == (of_lab[name].options, of_lab[name].starts_from)
        assert set(arm.seeds) <= set(of_lab[name].seeds)
