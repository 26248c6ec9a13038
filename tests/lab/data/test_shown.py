"""What a notebook shows of the lab's data is a line: in full it would be pages."""

import numpy as np
import pytest
from internal_physics.families.kernel.parts import Cell, PromptName, TangentKernel
from internal_physics.lab import data

GRAMMAR = data.grammar_named("cfg3f", root=13)
FOREST = data.sample_forest(GRAMMAR, 30, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (FOREST, f"Forest(30 trees of cfg3f-13, {len(FOREST.tokens):,} tokens)"),
        (data.draw_bio_d(data.BioDSizes(people=1000), seed=4), "seed=4"),
        (data.prefixes(GRAMMAR, FOREST.strings())[0], f"a string of {len(FOREST.strings()[0])} tokens"),
        (data.prefixes(GRAMMAR, [[1, 1]])[0], "no string of 2 tokens"),
        (
            TangentKernel(tuple(PromptName("s", str(i)) for i in range(500)), {Cell(0, "key"): np.ones((500, 500))}),
            "TangentKernel(500 prompts, 1 groups of weights, from factors)",
        ),
    ],
    ids=["forest", "bioD", "prefixes", "no string", "kernel"],
)
def test_a_thing_is_shown_in_a_line(thing, words):
    assert words in repr(thing)
    assert len(repr(thing)) < 250
