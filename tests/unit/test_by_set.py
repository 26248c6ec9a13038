"""One figure per prompt set, each under its own name: names that end alike must not take each other's files."""

import pandas as pd
import pytest
from internal_physics.figures import by_set
from internal_physics.figures.by_set import save_by_set
from matplotlib.figure import Figure

TABLE = pd.DataFrame({"prompt_set": ["a"], "model": ["other"]})


@pytest.fixture
def saved(monkeypatch):
    """Prompt set → paths its figure was saved to."""
    found = {}
    monkeypatch.setattr(by_set, "save", lambda figure, paths: found.update({figure.get_label(): list(paths)}))
    return found


def draw(table, prompt_set, *, models):
    assert table is TABLE
    assert models == ["m"]
    return Figure(label=prompt_set)


@pytest.mark.parametrize("sets", [["a", "b-a"], ["b-a", "a"], ["a.b", "b"], ["a-b", "b", "a"], ["png", "x.png"]])
def test_every_set_gets_its_own_files_whatever_the_names(saved, sets):
    outputs = [f"results/figures/radar-{name}.{kind}" for name in sets for kind in ("png", "svg")]
    save_by_set(draw, TABLE, outputs, models=["m"], prompt_sets=sets)
    assert saved == {name: [f"results/figures/radar-{name}.{kind}" for kind in ("png", "svg")] for name in sets}


def test_a_set_without_outputs_is_named(saved):
    with pytest.raises(ValueError, match="no output is named after the prompt set 'b'"):
        save_by_set(draw, TABLE, ["radar-a.png"], models=["m"], prompt_sets=["a", "b"])
