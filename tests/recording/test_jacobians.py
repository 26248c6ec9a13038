"""Local linear maps of blocks against torch.func.jacrev of the block alone."""

from functools import cache

import internal_physics as ip
import numpy as np
import pytest
import torch
from cases import case
from internal_physics.families.jacobian.local_map import of_matrix
from internal_physics.families.jacobian.measure import map_rows
from internal_physics.families.jacobian.options import MapOptions
from internal_physics.families.jacobian.statuses import SINGULAR
from internal_physics.ground.errors import ConfigError
from internal_physics.models.stream import hidden_state
from internal_physics.recording import block_graphs, jacobians
from internal_physics.recording.jacobians import block_maps
from internal_physics.steering.intervention import Edit, Steering
from oracles import blocks_of
from steered import V, added

NAMES = ("gpt2", "llama", "gpt_neox", "falcon", "bert")  # llama shares keys, falcon's blocks give tuples
EXACT = 1e-8  # float64, entries of order one
PROMPT = 2  # of the case: the longest


def maps_of(name, steering=None, exact_width=64, probes=8):
    tiny = case(name, "float64")
    how = {"exact_width": exact_width, "probes": probes, "seed_of_layer": lambda layer: layer}
    return list(block_maps(tiny.model, tiny.encoded[PROMPT], steering=steering, **how))


@cache
def jacrev_of_blocks(name, add_to_first=0.0):
    """The map of every block from its own arguments; `add_to_first` is added to what leaves the first."""
    tiny, given = case(name, "float64"), {}
    prompt, t = tiny.encoded[PROMPT], tiny.encoded[PROMPT].read_position
    blocks = blocks_of(tiny.module)
    keep = [
        block.register_forward_pre_hook(lambda _m, a, k, n=n: given.__setitem__(n, (a, k)), with_kwargs=True)
        for n, block in enumerate(blocks)
    ]
    if np.any(add_to_first):
        change = torch.as_tensor(add_to_first, dtype=torch.float64)
        keep.append(blocks[0].register_forward_hook(lambda _m, _a, output: output + change))
    tiny.module(torch.tensor([prompt.ids]), **({} if name == "bert" else {"use_cache": False}))
    for handle in keep:
        handle.remove()
    return [_jacrev(block, *given[n], t) for n, block in enumerate(blocks)]


def _jacrev(block, args, kwargs, t):
    hidden = (args[0] if args else kwargs["hidden_states"]).detach()

    def at_read_position(vector):
        given = torch.cat([hidden[:, :t], vector[None, None], hidden[:, t + 1 :]], dim=1)
        output = block(given, *args[1:], **kwargs) if args else block(**{**kwargs, "hidden_states": given})
        return hidden_state(output)[0, t]

    return torch.func.jacrev(at_read_position)(hidden[0, t]).detach().numpy()


@pytest.mark.parametrize("name", NAMES)
def test_the_map_of_a_block_is_that_of_jacrev(name):
    for block, expected in zip(maps_of(name), jacrev_of_blocks(name), strict=True):
        assert block.is_exact
        np.testing.assert_allclose(block.products.numpy(), expected, atol=EXACT)
        numbers = of_matrix(block.products.numpy())
        if name == "bert":  # a norm ends each block: no mean and no length leaves it
            assert numbers.status == SINGULAR
        else:
            assert numbers.log_abs_det_nats == pytest.approx(np.linalg.slogdet(expected)[1], rel=EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_a_causal_model_runs_its_last_token_alone_and_a_masked_one_all(name, monkeypatch):
    tiny, n_tokens = case(name, "float64"), []
    monkeypatch.setattr(jacobians._Ways, "proven", _noted(jacobians._Ways.proven, n_tokens))
    maps_of(name)
    expected = len(tiny.encoded[PROMPT].ids) if name == "bert" else 1
    assert n_tokens == [expected] * tiny.model.anatomy.n_layers


def _noted(proven, n_tokens):
    """The method, with the length of the pass that it chose noted."""

    def noting(*given):
        found = proven(*given)
        n_tokens.append(found[0].n_tokens)
        return found

    return noting


@pytest.mark.parametrize("fault", ["wrong", "in place", "none"])
def test_where_the_last_token_alone_is_not_the_same_longer_passes_are_used(fault, monkeypatch):
    expected = [block.products for block in maps_of("llama")]

    def faulty(*given):
        graphs = block_graphs.last_token_pass(*given)
        for layer, made in graphs.made.items():
            graphs.made[layer] = made * 1.001 if fault == "wrong" else made
            if fault == "in place":
                graphs.made[layer] = _changed_in_place(made)
        return None if fault == "none" else graphs

    monkeypatch.setattr(jacobians, "last_token_pass", faulty)
    for block, whole in zip(maps_of("llama"), expected, strict=True):
        np.testing.assert_allclose(block.products, whole, atol=EXACT)


def _changed_in_place(made):
    factor = torch.ones_like(made)
    output = made * factor * made
    factor += 1  # what the backward pass needs is gone
    return output


@pytest.mark.parametrize("name", ["gpt2", "falcon"])
def test_probes_are_products_with_the_same_map(name):
    for block, expected in zip(maps_of(name, exact_width=8, probes=5), jacrev_of_blocks(name), strict=True):
        assert not block.is_exact
        signs = np.linalg.lstsq(expected.T, block.products.numpy().T)[0].T
        np.testing.assert_allclose(np.abs(signs), 1, atol=1e-6)  # through an inverse
        assert block.products.shape == (5, 32)


def test_a_steered_block_is_linearised_where_steering_brings_it():
    plain, found = maps_of("llama"), maps_of("llama", added(1, V))
    for block, expected in zip(found, jacrev_of_blocks("llama", tuple(V)), strict=True):
        np.testing.assert_allclose(block.products.numpy(), expected, atol=EXACT)
    assert float((found[1].products - plain[1].products).abs().max()) > 1e-3


def test_the_last_token_alone_is_steered_with_its_own_weight():
    tiny, edits = case("llama", "float64"), {1: (Edit(np.array(V), "clamp", 0.5, 0.7),), 2: (Edit(np.array(V)),)}
    given = (tiny.model, tiny.encoded[PROMPT], Steering(edits, token_weights=(0.2, 1.5, 0.6)))
    last, whole = block_graphs.last_token_pass(*given), block_graphs.whole_pass(*given)
    for layer in range(3):
        np.testing.assert_allclose(last.leaves[layer].detach(), whole.leaves[layer].detach(), atol=EXACT)
        np.testing.assert_allclose(last.made[layer + 1].detach(), whole.made[layer + 1].detach(), atol=EXACT)


def test_rows_name_what_is_known():
    tiny = case("gpt2", "float64")
    prompt = tiny.encoded[PROMPT]
    exact, probed = (list(map_rows(tiny.model, prompt, MapOptions(w, 16), seed=0)) for w in (32, 31))
    for layer, ((row, numbers), (guess, _)) in enumerate(zip(exact, probed, strict=True)):
        assert (row["layer"], row["method"], row["n_products"], row["status"]) == (layer, "exact", 32, "ok")
        assert (guess["method"], guess["n_products"]) == ("probes", 16)
        assert row["singular_value_1"] == numbers.singular_values[0]
        assert row["rms_gain"] == pytest.approx(np.sqrt(np.mean(numbers.singular_values**2)), rel=1e-12)
        assert row["mean_log_gain_nats"] == pytest.approx(np.mean(np.log(numbers.singular_values)), rel=1e-9)
        assert abs(guess["frobenius_norm"] - row["frobenius_norm"]) < 6 * guess["frobenius_standard_error"]
        assert np.isnan(guess["singular_value_1"])


def test_the_api_gives_a_row_per_block():
    model = case("gpt2", "float64").model
    found = ip.jacobians(model, {"ids": "7 9 11"}, exact_width=64)
    assert list(found["layer"]) == [0, 1, 2]
    assert found.attrs["units"]["log_abs_det_nats"] == "nats"
    with pytest.raises(ConfigError, match="probes is 1"):
        ip.jacobians(model, {"ids": "7 9 11"}, probes=1)
