"""What the report says of kernels: a claim where kinds of prompts pull in directions of their own, else nothing."""

import pandas as pd
import pytest
from internal_physics.families.kernel import findings
from internal_physics.families.kernel.kernel_files import KernelOf
from internal_physics.families.kernel.usable import part_of
from made_up_kernels import collected, made_up_kernel, notes_of

MODELS = pd.DataFrame({"model": ["m"], "dtype": ["float32"], "quantization": ["none"]})


def told(folder, of, p=0.001):
    tables = collected(folder, [[of]], notes_of(of)) | {"models": MODELS}
    return findings.p_values(tables), findings.findings(tables, {findings.CLAIM: p} if p else {})


def test_kinds_that_pull_in_directions_of_their_own_are_told(tmp_path):
    of = made_up_kernel()
    claims, (found,) = told(tmp_path, of)
    assert list(claims) == [findings.CLAIM]
    assert 0.01 <= claims[findings.CLAIM] < 0.1  # 99 permutations; two of the 70 labellings are the observed one
    cosines = of.kernel.cosines()
    assert found.value == pytest.approx((cosines[:4, :4].sum() + cosines[4:, 4:].sum() - 8) / 24)
    assert (found.n, found.figure, found.table) == (8, "kernel_heatmap-m", "kernel_summary")
    assert f"mean cosine of their gradients {found.value:.2f} against" in found.sentence
    assert "2 kinds, 8 prompts" in found.sentence
    assert "adjusted p at most 0.001" in found.sentence


def test_a_claim_that_chance_explains_is_not_told(tmp_path):
    assert told(tmp_path, made_up_kernel(), p=None)[1] == []


def test_without_two_prompts_of_a_kind_nothing_is_claimed(tmp_path):
    whole = made_up_kernel()
    two = KernelOf("m", "baseline", part_of(whole.kernel, [0, 4]))
    assert told(tmp_path, two) == ({}, [])
