"""The rule, its table and its figure."""

import numpy as np
import pandas as pd
import pytest
from internal_physics.config.chosen import chosen_prompts
from internal_physics.config.prompts import Prompt
from internal_physics.families.jacobian.figures.jacobians import PANELS, draw
from internal_physics.families.jacobian.jacobian import jacobian_chunks
from internal_physics.families.jacobian.statuses import NO_VALUES
from internal_physics.families.jacobian.tables import JACOBIANS
from internal_physics.ground.errors import ConfigError
from internal_physics.models.fetch import fetch
from internal_physics.models.sources import parse_source
from tiny_models import save_snapshot

PROMPTS = {"words": [{"name": "short", "text": "the cat"}, {"name": "long", "text": "the cat sat on the mat."}]}
SETS = {"words": [Prompt("short", "a"), Prompt("long", "b")], "numbers": [Prompt("one", "1")]}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Of two prompts, all of the maps; and the same as probed."""
    folder = tmp_path_factory.mktemp("jacobian")
    snapshot = folder / "snapshot"
    fetch(parse_source(f"path:{save_snapshot(folder / 'llama')}"), snapshot)
    how = {"snapshot": snapshot, "prompts": PROMPTS, "load": {}, "text": {"words": {}}, "seed": 0, "threads": 1}
    labels = {"model": "llama", "condition": "baseline"}
    widths = (1024, 4)
    options = [{"exact_width": width, "probes": 64} for width in widths]
    return [pd.concat(jacobian_chunks(options=o, labels=labels, **how), ignore_index=True) for o in options]


def test_a_row_per_prompt_and_block_with_every_column(rows):
    exact, probed = rows
    assert list(exact.columns) == list(JACOBIANS.columns)
    assert not exact.duplicated(JACOBIANS.key).any()
    assert list(exact["prompt"].unique()) == ["short", "long"]
    assert set(exact["status"]) == {"ok"}
    assert set(probed["status"]) == {NO_VALUES}
    z = (probed["frobenius_norm"] - exact["frobenius_norm"]) / probed["frobenius_standard_error"]
    assert np.abs(z).max() < 5  # of a handful of maps


def test_the_figure_has_a_line_per_prompt_and_a_mean_in_every_panel(rows):
    figure = draw(rows[0], models=["llama"])
    for ax, label in zip(figure.axes, PANELS.values(), strict=True):
        assert ax.get_ylabel() == label
        assert [line.get_gid() for line in ax.lines].count("prompt") == 2
        mean = next(line for line in ax.lines if line.get_label() == "llama")
        assert len(mean.get_xdata()) == rows[0]["layer"].nunique()


def test_a_figure_of_probed_maps_says_what_is_missing(rows):
    figure = draw(rows[1], models=["llama"])
    assert any(NO_VALUES in text.get_text().replace("\n", " ") for text in figure.texts)


def test_prompts_are_chosen_by_name_and_by_set():
    chosen = chosen_prompts(["numbers", "words/long"], SETS, "here")
    names = {prompt_set: [prompt.name for prompt in prompts] for prompt_set, prompts in chosen.items()}
    assert names == {"words": ["long"], "numbers": ["one"]}
    assert chosen_prompts([], SETS, "here") == {}
    for wrong in ("word", "words/shrt"):
        with pytest.raises(ConfigError, match=f"there is no prompt '{wrong}'"):
            chosen_prompts([wrong], SETS, "here")
