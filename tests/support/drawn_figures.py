"""The figures of the gradient flow and the scores, drawn from made-up tables."""

import pytest
from internal_physics.families.gradient_flow.figures import isf_spectrum, layer_heatmap, layer_profiles, radar
from internal_physics.families.scores.figures import correlation_matrix
from synthetic_tables import make_tables


@pytest.fixture(scope="module")
def tables():
    return make_tables(4, n_prompts=5, n_layers=12)


@pytest.fixture(scope="module")
def drawn(tables):
    """Every kind of figure with its defaults, for the tests that only look at it."""
    return {
        "radar": radar.draw(tables["scores_normalized"], "factual"),
        "layer_profiles": layer_profiles.draw(tables["layers"], "factual"),
        "layer_heatmap": layer_heatmap.draw(tables["layers"], "factual"),
        "correlation_matrix": correlation_matrix.draw(tables["correlations"]),
        "isf_spectrum": isf_spectrum.draw(tables["isf_spectra"], "factual"),
    }


def draw_all(tables, prompt_set="factual"):
    scores, correlated = tables["scores_normalized"], tables["correlations"]
    given = {name: tables[name] for name in ("scores", "model_pairs")}
    several = scores["model"].nunique() > 1  # a radar compares
    return ({"radar": radar.draw(scores, prompt_set, show_flagged=True, **given)} if several else {}) | {
        "layer_profiles": layer_profiles.draw(tables["layers"], prompt_set),
        "layer_heatmap": layer_heatmap.draw(tables["layers"], prompt_set),
        "correlation_matrix": correlation_matrix.draw(correlated, show_flagged=True),
        "isf_spectrum": isf_spectrum.draw(tables["isf_spectra"], prompt_set),
    }
