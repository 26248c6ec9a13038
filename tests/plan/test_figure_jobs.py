"""Jobs that draw figures: one for each family, with all that its figures read."""

import pytest
from internal_physics.config.load import load_config
from internal_physics.families import registry
from internal_physics.plan.figure_jobs import figure_jobs
from internal_physics.plan.run_plan import RunPlan

MODELS = {"m": {"source": "path:somewhere"}, "n": {"source": "path:elsewhere"}}
PROMPTS = {"prompts": [{"name": name, "text": f"text {name}"} for name in "abc"], "weight_gradients": "factors"}
STEERED = {
    "models": {name: MODELS[name] | {"step": step, "parent": "p"} for step, name in enumerate(MODELS)},
    "conditions": {"happy": {"vector": [1.0, -1.0], "models": ["m"]}},
    "information": {"watch": [" a"]},
    "jacobian": {"prompts": ["s"]},
}


def plan(**options):
    return RunPlan(load_config({"models": MODELS, "prompt_sets": {"s": PROMPTS}} | options))


@pytest.fixture(scope="module")
def whole():
    return plan(**STEERED)


def test_every_figure_of_a_run_is_drawn_by_the_one_job_of_its_family(whole):
    jobs = figure_jobs(whole)
    assert [job.family for job in jobs] == [family.name for family in registry.FAMILIES if family.figures]
    assert [path for job in jobs for path in job.outputs] == whole.figure_files(*whole.figures())
    for job in jobs:
        assert [path for drawing in job.drawings for path in drawing["outputs"]] == job.outputs


def test_a_job_has_the_inputs_of_each_of_its_figures(whole):
    """Figures of one family that mean different files by one name would take each other's."""
    for job in figure_jobs(whole):
        wanted = [whole.figure_inputs(figure) for figure in registry.FIGURES if f".{job.family}." in module(figure)]
        assert all(job.inputs[name] == path for inputs in wanted for name, path in inputs.items())
        assert job.inputs.keys() == set().union(*wanted)


def test_a_family_without_figures_in_a_run_has_no_job():
    assert [job.name for job in figure_jobs(plan(metrics=["ec"]))] == [
        "figures_scores",
        "figures_pairs",
        "figures_gradient_flow",
    ]


def module(figure):
    return registry.figure_module(figure)
