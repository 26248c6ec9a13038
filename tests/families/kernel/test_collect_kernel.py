"""The tables of the kernels, from files of made-up ones."""

import numpy as np
import pytest
from internal_physics.families.kernel.collect_kernel import between_runs, compare, kind_rows
from internal_physics.families.kernel.kernel_files import KernelOf
from internal_physics.families.kernel.tables import MOST_PROMPTS
from internal_physics.families.kernel.tangent_kernel import TOTAL, PromptName, TangentKernel, cosine_kernel
from internal_physics.families.kernel.usable import usable
from internal_physics.statistics.alignment_statuses import TOO_FEW_ITEMS, UNDEFINED
from made_up_kernels import LAYERS, collected, made_up_kernel, notes_of


@pytest.fixture
def tables(tmp_path):
    kernels = [made_up_kernel("a"), made_up_kernel("b", seed=0), made_up_kernel("a", "happy", seed=3)]
    return collected(tmp_path, [[kernel] for kernel in kernels], notes_of(*kernels))


def of_a(table):
    return table[(table["model"] == "a") & (table["condition"] == "baseline")]


def test_every_pair_of_prompts_has_one_row(tables):
    rows, matrix = of_a(tables["kernel"]), made_up_kernel("a").kernel.matrix()
    assert len(rows) == 8 * 9 / 2
    (row,) = rows[(rows["prompt"] == "p1") & (rows["other_prompt"] == "p6")].itertuples()
    assert row.value == pytest.approx(matrix[1, 6])
    assert row.cosine == pytest.approx(matrix[1, 6] / np.sqrt(matrix[1, 1] * matrix[6, 6]))
    assert row.standard_error == 0


def test_the_summary_says_what_plain_loops_say(tables):
    cosines = cosine_kernel(made_up_kernel("a").kernel.matrix())
    pairs = [(i, j) for i in range(8) for j in range(i)]
    within = [cosines[i, j] for i, j in pairs if (i < 4) == (j < 4)]
    between = [cosines[i, j] for i, j in pairs if (i < 4) != (j < 4)]
    (row,) = of_a(tables["kernel_summary"]).itertuples()
    assert row.cosine_within == pytest.approx(np.mean(within))
    assert row.cosine_between == pytest.approx(np.mean(between))
    assert row.mean_cosine == pytest.approx(np.mean(within + between))
    assert (row.n_prompts, row.n_kinds, row.kinds_status, row.status) == (8, 2, "ok", "ok")
    assert row.trace == pytest.approx(np.trace(made_up_kernel("a").kernel.matrix()))
    assert row.top_share == pytest.approx(of_a(tables["kernel_spectra"])["share"].max())


def test_shares_add_up_to_one(tables):
    shares = of_a(tables["kernel_shares"])
    assert shares["share"].sum() == pytest.approx(1)
    assert set(shares["layer"]) == set(LAYERS)


def test_layers_that_follow_the_kinds_have_a_small_p_and_one_that_does_not_has_none(tables):
    kinds = of_a(tables["kernel_kinds"])
    by_layer = kinds[kinds["layer"].notna()].set_index("layer")
    assert (by_layer.loc[[0, 1, 2], "p_adjusted"] < 0.1).all()  # two of 70 labellings are the observed one: p ≥ 0.03
    assert by_layer.loc[-1, "p_adjusted"] > 0.1
    assert set(kinds.loc[kinds["layer"].isna(), "normalisation"]) == {"raw", "cosine"}
    assert (kinds["p_adjusted"] >= kinds["p"]).all()


def test_a_layer_at_which_a_prompt_has_no_gradient_follows_nothing_and_says_so():
    kernel = made_up_kernel("a")
    for cell, matrix in kernel.kernel.cells.items():
        if cell.layer == 1:
            matrix[3] = matrix[:, 3] = 0.0
    rows = kind_rows(usable(kernel, notes_of(kernel)), seed=0, n_resamples=99)
    by_layer = {row["layer"]: row for row in rows if row["normalisation"] == "cosine"}
    missing = by_layer.pop(1)
    assert np.isnan([missing["cka"], missing["debiased_cka"], missing["p"]]).all()
    assert missing["status"] == UNDEFINED
    assert all(np.isfinite([row["cka"], row["p"]]).all() and row["status"] == "ok" for row in by_layer.values())


def test_equal_kernels_of_two_models_are_aligned_and_conditions_are_compared_with_the_baseline(tables):
    cka = tables["kernel_cka"]
    whole = cka[cka["layer"].isna()].set_index(["model", "condition", "other_model", "other_condition"])
    assert set(whole.index) == {("b", "baseline", "a", "baseline"), ("a", "happy", "a", "baseline")}
    assert whole.loc[("b", "baseline", "a", "baseline"), "debiased_cka"] == pytest.approx(1)
    assert abs(whole.loc[("a", "happy", "a", "baseline"), "debiased_cka"]) < 1
    assert len(cka[cka["layer"].notna()]) == 2 * len(LAYERS) * (len(LAYERS) - 1) / 2


def test_a_text_counts_once_and_a_prompt_without_a_gradient_not_at_all():
    kernel = made_up_kernel("a")
    for cell in kernel.kernel.cells.values():
        cell[2] = cell[:, 2] = np.nan
    found = usable(kernel, notes_of(kernel, p1="p0"))
    assert [name.prompt for name in found.prompts] == ["p0", "p3", "p4", "p5", "p6", "p7"]
    assert found.left_out == (
        "1 prompt without a finite gradient left out; 1 prompt with the text of another one left out"
    )


@pytest.mark.parametrize(
    ("changed", "n_left"),
    [
        ({}, 7),
        ({"answer": "Paris"}, 8),  # another gap to fill
        ({"target_token": " Paris"}, 8),  # the logit of another token
        ({"tokens": "<s>|a gap: [MASK]"}, 8),  # read with other special tokens
    ],
)
def test_a_text_with_another_answer_target_or_reading_is_another_prompt(changed, n_left):
    kernel = made_up_kernel("a")
    notes = notes_of(kernel, p0="a gap: [MASK]", p1="a gap: [MASK]")
    is_other = notes["prompt"] == "p1"
    for column, value in changed.items():
        notes[column] = notes[column].astype(object).where(~is_other, value)
    assert len(usable(kernel, notes).prompts) == n_left


def test_the_answer_to_a_text_without_a_gap_does_not_matter():
    kernel = made_up_kernel("a")
    notes = notes_of(kernel, p0="one text", p1="one text")
    assert len(usable(kernel, notes.assign(answer=notes["prompt"])).prompts) == 7


def test_kernels_without_prompts_of_one_prompt_and_of_a_prompt_without_gradient_have_a_status(tmp_path):
    one = KernelOf("a", "baseline", TangentKernel((PromptName("s", "p0"),), {TOTAL: np.ones((1, 1))}))
    none = KernelOf("b", "baseline", TangentKernel((PromptName("s", "p0"),), {TOTAL: np.zeros((1, 1))}))
    tables = collected(tmp_path, [[one], [none], []], notes_of(one, none))
    assert tables["kernel_summary"]["status"].tolist() == [
        "ok",
        "1 prompt without a finite gradient left out; no prompt has a finite gradient",
    ]
    assert tables["kernel_summary"]["pairs_status"].tolist() == ["fewer than two prompts"] * 2
    assert set(tables["kernel_kinds"]["status"].str.split("; ").str[-1]) == {TOO_FEW_ITEMS}
    assert tables["kernel_cka"]["status"].tolist() == [TOO_FEW_ITEMS]


def test_a_sketched_kernel_stands_beside_the_exact_one_and_is_compared_with_its_own_kind_only(tmp_path):
    exact, sketch = made_up_kernel("a"), made_up_kernel("a", source="sketch")
    tables = collected(tmp_path, [[exact, sketch]], notes_of(exact))
    assert tables["kernel_summary"]["source"].tolist() == ["factors", "sketch"]
    assert (tables["kernel"].loc[tables["kernel"]["source"] == "sketch", "standard_error"] > 0).all()
    assert tables["kernel_cka"]["layer"].notna().all()


def test_pairs_of_a_large_kernel_are_not_listed(tmp_path):
    n = MOST_PROMPTS + 1
    large = KernelOf(
        "a", "baseline", TangentKernel(tuple(PromptName("s", f"p{i}") for i in range(n)), {TOTAL: np.eye(n)})
    )
    tables = collected(tmp_path, [[large]], notes_of(large))
    assert tables["kernel"].empty
    assert len(tables["kernel_map"]) == n


def test_kernels_are_compared_over_the_prompts_of_both():
    names = tuple(PromptName("s", f"p{i}") for i in range(6))
    cosines = cosine_kernel(made_up_kernel("a").kernel.matrix())[:6, :6]
    order = [5, 3, 1, 0, 2]
    found = compare((names, cosines), (tuple(names[i] for i in order), cosines[np.ix_(order, order)]))
    assert (found["n_prompts"], found["status"]) == (5, "ok")
    assert found["cka"] == pytest.approx(1)
    assert between_runs([]) == []
