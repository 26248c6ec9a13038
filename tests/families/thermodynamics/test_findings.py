"""The sentence on what prompts pull at says what the table holds, and nothing where there is nothing to say."""

import numpy as np
import pandas as pd
from internal_physics.families.thermodynamics.findings import findings


def means(prompt_set="facts", down=0.3, up=0.1, n_prompts=20):
    shares = {"wte": (-1, 1 - down - up), "down": (11, down), "up": (3, up)}
    return pd.DataFrame([
        {"model": "m", "condition": "baseline", "prompt_set": prompt_set, "measure": "gradient_share", "layer": layer,
         "parameter": name, "mean": share, "ci_low": share - 0.02, "ci_high": share + 0.03, "n_in_top": n_prompts - 1,
         "n_prompts": n_prompts}
        for name, (layer, share) in shares.items()
    ])  # fmt: skip


def test_the_sentence_has_the_share_its_interval_and_n():
    (found,) = findings({"pulls_means": means()})
    assert found.sentence == (
        "Of all maps in the blocks of m, the loss pulls most at down on 1 of 1 prompt set: on facts it has 30.0 % "
        "(28.0 % to 33.0 %) of the squared gradient of all 3 weights (an even share is 33.3 %), and is among the first "
        "10 of 19 of 20 prompts."
    )
    assert (found.value, found.n, found.figure, found.table) == (0.3, 20, "pulls-facts", "pulls_means")


def test_the_finding_is_the_weight_that_leads_on_most_sets_with_its_largest_set():
    table = pd.concat([means("a", 0.1, 0.5), means("b", n_prompts=5), means("c", n_prompts=9)], ignore_index=True)
    (found,) = findings({"pulls_means": table})
    assert "at down on 2 of 3 prompt sets: on c" in found.sentence
    assert found.figure == "pulls-c"


def test_a_single_prompt_has_a_share_without_an_interval():
    table = means(n_prompts=1).assign(ci_low=np.nan, ci_high=np.nan)
    (found,) = findings({"pulls_means": table})
    assert "it has 30.0 % of the squared gradient" in found.sentence
    assert np.isnan(found.ci_low)


def test_without_shares_there_is_no_finding():
    assert findings({"pulls_means": means().assign(mean=np.nan)}) == []
    assert findings({"pulls_means": means().head(0)}) == []
