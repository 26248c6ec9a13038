"""Three questions to a finished run, each answered by the lines of docs/python.md, which are at most three."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from internal_physics.records.store import read_trace

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
SECTION = "## Three questions to a finished run"
NAMES = {"factual_01": "up", "factual": "counting", "smollm2-fp32": "tiny-llama"}  # of the page -> of the tiny run


def blocks():
    """The Python blocks of the section, with names of the tiny run."""
    (section,) = re.findall(rf"{SECTION}\n(.*?)\n## ", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    for name, ours in NAMES.items():
        section = section.replace(f'"{name}"', f'"{ours}"')
    return re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)


@pytest.fixture(scope="module")
def answers(base):
    """The value of the last line of each question's block."""
    opening, *questions = blocks()
    names: dict = {}
    exec(opening.replace('"results"', repr(str(base.path("results")))), names)
    values = []
    for question in questions:
        *before, last = question.strip().splitlines()
        exec("\n".join(before), names)
        values.append(eval(last, names))
    return values


def test_every_question_has_at_most_three_lines():
    _, *questions = blocks()
    assert len(questions) == 3
    assert all(len(question.strip().splitlines()) <= 3 for question in questions)


def test_does_quantisation_change_how_gradients_flow(answers, base):
    """Layer by model; here the two tiny models, of which the first is the reference."""
    found = answers[0]
    assert (list(found.index), list(found.columns)) == ([0, 1, 2, 3], ["tiny-gpt2"])
    records = [
        [read_trace(base.path(f"results/tensors/{model}/baseline/counting/{prompt}.parquet")) for model in MODELS]
        for prompt in ("up", "down", "digits")
    ]
    for layer in found.index:
        cosines = [cosine(*(trace.residual_gradient(layer) for trace in pair)) for pair in records]
        assert found.loc[layer, "tiny-gpt2"] == pytest.approx(np.mean(cosines), abs=1e-9)


def test_at_which_layer_is_the_answer_decided(answers, base):
    """A row for each model; tiny models know no answer, so that each has its own token."""
    found = answers[1]
    assert set(found["model"]) == set(MODELS)
    assert {"mean", "ci_low", "ci_high", "n_prompts", "n_without", "status"} <= set(found.columns)
    assert found.attrs["where"]["quantity"] == "settled_layer"
    whole = pd.read_parquet(base.path("results/tables/decided_means.parquet"))
    rows = whole[(whole["quantity"] == "settled_layer") & (whole["prompt_set"] == "counting")]
    assert len(found) == len(rows[rows["kind"] == "all kinds"])


def test_which_weights_does_this_prompt_pull_at(answers, base):
    found = answers[2]
    trace = read_trace(base.path("results/tensors/tiny-llama/baseline/counting/up.parquet"))
    norms = {name: np.linalg.norm(trace.gradient(name).dense()) for name in trace.parameters}
    strongest = sorted(norms, key=norms.get, reverse=True)[:5]
    assert list(found["parameter"]) == strongest
    assert list(found["gradient_norm"]) == pytest.approx([norms[name] for name in strongest], rel=1e-6)
    total = sum(norm**2 for norm in norms.values())
    assert list(found["gradient_share"]) == pytest.approx([norms[n] ** 2 / total for n in strongest], rel=1e-6)


MODELS = ("tiny-llama", "tiny-gpt2")


def cosine(a, b):
    a, b = (array.astype(np.float64).ravel() for array in (a, b))
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)
