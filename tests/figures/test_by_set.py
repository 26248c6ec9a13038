"""One figure per prompt set, each under its own name: names with equal endings must not share files."""

import sys
from types import ModuleType

import pandas as pd
import pytest
from internal_physics.figures import draw as workshop
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import draw_figures
from matplotlib.figure import Figure

TABLE = pd.DataFrame({"prompt_set": ["a"], "model": ["other"]})


@pytest.fixture
def module(monkeypatch):
    """Name of a figure module that draws every prompt set."""
    made = ModuleType("made_up_figure")
    made.figures = lambda inputs, *, models, prompt_sets: by_set(draw, inputs["table"], models, prompt_sets)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made.__name__


@pytest.fixture
def saved(monkeypatch):
    """Prompt set → paths its figure was saved to."""
    found = {}
    monkeypatch.setattr(workshop, "save", lambda figure, paths: found.update({figure.get_label(): list(paths)}))
    return found


def draw(table, prompt_set, *, models):
    assert table is TABLE
    assert models == ["m"]
    return Figure(label=prompt_set)


def outputs(*sets):
    return [f"results/figures/radar-{name}.{kind}" for name in sets for kind in ("png", "svg")]


@pytest.mark.parametrize("sets", [["a", "b-a"], ["b-a", "a"], ["a.b", "b"], ["a-b", "b", "a"], ["png", "x.png"]])
def test_every_set_gets_its_own_files_whatever_the_names(module, saved, sets):
    draw_figures(module, {"table": TABLE}, outputs(*sets), {"models": ["m"], "prompt_sets": sets})
    assert saved == {name: outputs(name) for name in sets}


def test_a_set_without_outputs_is_named(module, saved):
    with pytest.raises(ValueError, match="no output is named after 'b'"):
        draw_figures(module, {"table": TABLE}, outputs("a"), {"models": ["m"], "prompt_sets": ["a", "b"]})
