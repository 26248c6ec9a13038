"""Requirements of metrics on prompt sets are declared by their families and checked before any work."""

from dataclasses import replace

import pytest
from internal_physics.config.load import load_config
from internal_physics.families.gradient_flow.limits import MIN_PROMPTS_ISF
from internal_physics.families.registry import METRICS
from internal_physics.ground.errors import ConfigError
from internal_physics.plan import requirements
from internal_physics.plan.requirements import refuse_unmet_requirements, refuse_unusable_python

SEVERAL = [{"name": name, "text": "some text"} for name in "abc"]
FEW = SEVERAL[: MIN_PROMPTS_ISF - 1]


def check(metrics, prompts=SEVERAL, **options):
    sets = {"good": {"prompts": SEVERAL}, "s": {"prompts": prompts, **options}}
    config = load_config({"models": {"m": {"source": "path:x"}}, "prompt_sets": sets, "metrics": metrics})
    refuse_unmet_requirements(config, "my.yaml")


def refused(*arguments, **options):
    with pytest.raises(ConfigError) as error:
        check(*arguments, **options)
    return error.value


@pytest.mark.parametrize("folder", ["/home/ada/My Projects", "/data/runs (old)", "/data/a&b", "/data/it's"])
def test_a_python_that_a_shell_does_not_take_as_one_word_is_refused(folder):
    with pytest.raises(ConfigError, match="Snakemake starts jobs with this path as it is") as error:
        refuse_unusable_python(f"{folder}/.venv/bin/python")
    assert error.value.where == f"{folder}/.venv/bin/python"
    assert "VENV=" in error.value.todo


def test_a_python_in_a_folder_with_letters_of_any_script_is_usable():
    refuse_unusable_python("/home/jörg/模型/project-1.2_b/.venv/bin/python3.11")


def test_sets_of_three_prompts_with_norms_suit_all_metrics():
    check(list(METRICS), weight_gradients="norms")


def test_a_set_too_small_for_isf_is_refused_and_allowed_without_isf():
    error = refused(["ec", "isf"], FEW)
    assert error.where == "my.yaml: prompt_sets → s"
    assert error.what == "it has 2 prompts"
    assert error.expected == "at least 3, for the metric isf"
    assert error.todo == "add prompts, or leave isf out of `metrics`"
    check(["ec"], FEW)


def test_a_set_without_gradients_is_refused_for_thermodynamics_alone():
    error = refused(["ec", "thermodynamics"], weight_gradients="none")
    assert error.where == "my.yaml: prompt_sets → s"
    assert error.what == "weight_gradients: none"
    assert error.todo == "set weight_gradients: norms, or leave thermodynamics out of `metrics`"
    check(["ec"], weight_gradients="none")


def test_information_alone_is_refused_with_the_metrics_that_fill_common_tables():
    error = refused(["information"])
    assert error.where == "my.yaml: metrics"
    assert error.what.startswith("information alone")
    assert error.expected == f"at least one of {', '.join(name for name in METRICS if METRICS[name].in_layers)}"
    check(["information", "ec"])


def test_a_new_metric_is_checked_by_its_declaration(monkeypatch):
    monkeypatch.setitem(requirements.METRICS, "ec", replace(METRICS["ec"], min_prompts=4))
    assert refused(["ec"]).expected == "at least 4, for the metric ec"
