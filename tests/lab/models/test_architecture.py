"""What each kind of lab model computes, by its definition, and that the library takes it as any other model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from internal_physics.ground.errors import ConfigError, ModelError
from internal_physics.lab.models.build import build_model, lab_config, n_parameters
from internal_physics.models.lab_architecture.attention import LabAttention
from internal_physics.models.lab_architecture.configuration import LabConfig, require_sound
from internal_physics.models.lab_architecture.parts import Canon
from lab_models import CAUSAL, CONTEXT, EVERY, PLAIN, VOCABULARY, lab_model
from torch.nn import functional

every_kind = pytest.mark.parametrize("name", EVERY)
IDS = torch.tensor([[0, 5, 9, 9, 30, 2, 17, 8, 25, 11]])
OTHERS = torch.tensor([[0, 6, 7, 31, 3, 20, 2, 2, 12, 39]])
EQUAL = 1e-10  # float64; seen: 1e-14


def rows_of(name: str, ids: torch.Tensor) -> torch.Tensor:
    """[layer, h, i, j]."""
    with torch.no_grad():
        return torch.stack(lab_model(name)(ids, output_attentions=True).attentions)[:, 0]


class TestAttention:
    def test_uniform_rows_equal_their_definition(self):
        rows = rows_of("uniform-plain", IDS)
        n = IDS.shape[1]
        for h in range(4):
            for i in range(n):
                width = min(i + 1, 2 ** (h + 1) - 1)
                expected = np.zeros(n)
                expected[i - width + 1 : i + 1] = 1 / width
                assert np.allclose(rows[:, h, i].numpy(), expected, atol=1e-15)

    @pytest.mark.parametrize("name", ["position_only-plain", "position_only-rich", "masked-position_only-plain"])
    def test_position_only_rows_do_not_see_the_words_and_are_a_softmax_of_the_distance(self, name):
        rows = rows_of(name, IDS)
        assert torch.equal(rows, rows_of(name, OTHERS))
        middle = CONTEXT - 1 if "masked" in name else 0
        for layer, block in enumerate(lab_model(name).model.layers):
            table = block.self_attn.position_bias.numpy()
            for i in range(4, 8):
                last = IDS.shape[1] - 1 if "masked" in name else i
                scores = np.exp([table[1, i - j + middle] for j in range(last + 1)])
                assert np.allclose(rows[layer, 1, i, : last + 1].numpy(), scores / scores.sum(), atol=1e-14)

    @pytest.mark.parametrize("name", ["rotary-plain", "rotary-rich", "masked-rotary-plain"])
    def test_rotary_logits_do_not_change_when_all_positions_move(self, name):
        model, positions = lab_model(name), torch.arange(IDS.shape[1])[None]
        with torch.no_grad():
            here, moved = (model(IDS, position_ids=positions + shift).logits for shift in (0, 7))
            apart = model(IDS, position_ids=2 * positions).logits
        assert (here - moved).abs().max() < EQUAL
        assert (here - apart).abs().max() > 1e-3  # distances do matter

    def test_absolute_logits_change_when_all_positions_move(self):
        positions = torch.arange(IDS.shape[1])[None]
        with torch.no_grad():
            here, moved = (lab_model("absolute-plain")(IDS, position_ids=positions + s).logits for s in (0, 7))
        assert (here - moved).abs().max() > 1e-3

    def test_relative_rows_are_those_of_scores_plus_the_number_of_the_distance(self):
        block = lab_model("relative-plain").model.layers[0]
        with torch.no_grad():
            x = block.attention_norm(lab_model("relative-plain").model.embed_tokens(IDS))
            q, k = (f(x).view(10, 4, 4)[:, 2] for f in (block.self_attn.q_proj, block.self_attn.k_proj))
        scores = (q @ k.T / 2).numpy()
        table = block.self_attn.position_bias.numpy()[2]
        row = np.exp([scores[6, j] + table[6 - j] for j in range(7)])
        assert np.allclose(rows_of("relative-plain", IDS)[0, 2, 6, :7].numpy(), row / row.sum(), atol=1e-12)

    @pytest.mark.parametrize("name", CAUSAL)
    def test_rows_of_causal_models_sum_to_one_and_see_no_later_token(self, name):
        rows = rows_of(name, IDS)
        assert (rows.sum(-1) - 1).abs().max() < EQUAL
        assert not rows.triu(1).any()

    @every_kind
    def test_fused_attention_gives_the_same_logits(self, name):
        with torch.no_grad():
            plain, fused = (lab_model(name, attention=kind)(IDS).logits for kind in ("eager", "sdpa"))
        assert (plain - fused).abs().max() < EQUAL

    @every_kind
    def test_padding_changes_nothing(self, name):
        mask = torch.ones(2, 10, dtype=torch.long)
        mask[1, 6:] = 0
        with torch.no_grad():
            alone = lab_model(name)(IDS[:, :6]).logits
            padded = lab_model(name)(torch.cat([OTHERS, IDS]), attention_mask=mask).logits[1, :6]
        assert (alone[0] - padded).abs().max() < EQUAL

    def test_padding_before_a_convolution_is_refused(self):
        mask = torch.ones_like(IDS)
        mask[0, :2] = 0
        with pytest.raises(ModelError, match="padding before the tokens"):
            lab_model("rotary-rich")(IDS, attention_mask=mask)

    def test_rows_longer_than_a_table_of_positions_are_refused(self):
        ids = torch.zeros(1, CONTEXT + 1, dtype=torch.long)
        for name in ("absolute-plain", "relative-plain", "position_only-plain"):
            with pytest.raises(ModelError, match=f"a row of {CONTEXT + 1} tokens"):
                lab_model(name)(ids)
        assert lab_model("rotary-plain")(ids).logits.shape == (1, CONTEXT + 1, len(VOCABULARY))


class TestCanon:
    @pytest.fixture
    def canon(self):
        torch.manual_seed(0)
        canon = Canon(5).double()
        torch.nn.init.normal_(canon.conv)
        return canon

    @pytest.mark.parametrize("n_tokens", [1, 2, 3, 4, 9])
    def test_it_is_a_depthwise_convolution_of_four_tokens_plus_its_input(self, canon, n_tokens):
        x = torch.randn(3, n_tokens, 5, dtype=torch.float64)
        kernel = canon.conv.flip(1)[:, None]  # conv1d runs forward in time
        expected = x + functional.conv1d(functional.pad(x.mT, (3, 0)), kernel, groups=5).mT
        assert (canon.eval()(x) - expected).abs().max() < EQUAL
        assert (canon.train()(x.requires_grad_()) - expected).abs().max() < EQUAL

    @pytest.mark.parametrize("n_tokens", [2, 9])
    def test_its_fast_form_has_the_same_gradients(self, canon, n_tokens):
        x = torch.randn(3, n_tokens, 5, dtype=torch.float64, requires_grad=True)
        weights = torch.randn(3, n_tokens, 5, dtype=torch.float64)
        fast, slow = (
            torch.autograd.grad((canon.train(mode)(x) * weights).sum(), (x, canon.conv)) for mode in (True, False)
        )
        assert all((a - b).abs().max() < EQUAL for a, b in zip(fast, slow, strict=True))


class TestWeights:
    @every_kind
    def test_the_number_of_parameters_has_a_closed_form(self, name):
        model = lab_model(name)
        assert n_parameters(model.config) == sum(p.numel() for p in model.parameters())

    def test_first_weights_have_the_spread_that_is_asked_for(self):
        wide = replace(PLAIN, width=128, heads=4, mlp_width=512)
        model = build_model(lab_config(wide, VOCABULARY, CONTEXT), seed=3)
        usual = 128**-0.5
        block = model.model.layers[0]
        for linear, std in (
            (block.self_attn.q_proj, usual),
            (block.mlp.up_proj, usual),
            (block.self_attn.o_proj, usual / 2),  # sqrt(2 · 2 layers)
            (block.mlp.down_proj, usual / 2),
            (model.model.embed_tokens, usual),
        ):
            assert abs(float(linear.weight.detach().std()) / std - 1) < 0.05  # seen: below 0.01
        asked = build_model(lab_config(replace(wide, initial_std=0.02), VOCABULARY, CONTEXT), seed=3)
        assert abs(float(asked.model.layers[1].mlp.up_proj.weight.detach().std()) / 0.02 - 1) < 0.05
        apart = build_model(lab_config(replace(wide, embedding_std=0.5), VOCABULARY, CONTEXT), seed=3)
        assert abs(float(apart.model.embed_tokens.weight.detach().std()) / 0.5 - 1) < 0.05
        assert abs(float(apart.model.layers[1].mlp.up_proj.weight.detach().std()) / usual - 1) < 0.05

    def test_with_zero_outputs_blocks_and_an_untied_head_change_nothing_at_first(self):
        options = replace(PLAIN, zero_outputs=True, tied=False)
        model = build_model(lab_config(options, VOCABULARY, CONTEXT), seed=3)
        with torch.no_grad():
            seen = model(IDS, output_hidden_states=True)
        assert all(torch.equal(residual, seen.hidden_states[0]) for residual in seen.hidden_states)
        assert float(seen.logits.abs().max()) == 0
        assert float(model.model.layers[0].self_attn.q_proj.weight.detach().std()) > 0
        tied = build_model(lab_config(replace(options, tied=True), VOCABULARY, CONTEXT), seed=3)
        assert float(tied.lm_head.weight.detach().std()) > 0

    @pytest.mark.parametrize("kind", ["rms", "layer"])
    def test_norms_without_gains_are_those_of_gains_of_one(self, kind):
        """Only the norm before the head learns any; first weights and logits are the same."""
        options = replace(PLAIN, norm=kind)
        models = [
            build_model(lab_config(replace(options, norm_gains=gains), VOCABULARY, CONTEXT), seed=3)
            for gains in (True, False)
        ]
        with torch.no_grad():
            assert torch.equal(models[0](IDS).logits, models[1](IDS).logits)
        names = [{name for name, _ in model.named_parameters()} for model in models]
        left_out = names[0] - names[1]
        assert names[1] < names[0]
        assert all("_norm." in name and ".layers." in name for name in left_out)
        assert not any("_norm." in name for name in names[1])
        assert "model.norm.weight" in names[1]
        assert n_parameters(models[1].config) == sum(p.numel() for p in models[1].parameters())

    def test_first_weights_depend_on_the_seed_alone(self):
        config = lab_config(PLAIN, VOCABULARY, CONTEXT)
        one, same = build_model(config, seed=1), build_model(config, seed=1)
        other = build_model(config, seed=2)
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
        assert not torch.equal(one.model.embed_tokens.weight, other.model.embed_tokens.weight)

    def test_a_tied_head_is_the_embedding(self):
        tied, own = lab_model("rotary-plain"), lab_model("rotary-rich")
        assert tied.lm_head.weight is tied.model.embed_tokens.weight
        assert own.lm_head.weight is not own.model.embed_tokens.weight

    def test_attention_layers_have_only_the_maps_they_use(self):
        for name in CAUSAL:
            layer = lab_model(name).model.layers[0].self_attn
            assert isinstance(layer, LabAttention)
            assert hasattr(layer, "q_proj") == (name.split("-")[0] in ("absolute", "rotary", "relative"))
            assert hasattr(layer, "position_bias") == (name.split("-")[0] in ("relative", "position_only"))


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"heads": 3}, "heads is 3"),
            ({"canon": "BA"}, "canon is 'BA'"),
            ({"attention": "other"}, "attention is 'other'"),
            ({"rotary_share": 1.5}, "rotary_share is 1.5"),
            ({"masked": True, "attention": "uniform"}, "attention is 'uniform'"),
        ],
    )
    def test_options_that_describe_no_model_are_refused(self, changes, said):
        with pytest.raises((ConfigError, ModelError), match=said):
            lab_config(replace(PLAIN, **changes), VOCABULARY, CONTEXT)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"num_attention_heads": 3}, "num_attention_heads is 3"),
            ({"num_attention_heads": 32}, "rotary_share is 1.0"),  # heads of one number, which cannot be rotated
            ({"canon": "BA"}, "canon is 'BA'"),
            ({"reads_both_ways": True, "attention": "uniform"}, "attention is 'uniform'"),
        ],
    )
    def test_a_config_json_that_describes_no_model_is_refused_by_the_same_rule(self, changes, said):
        with pytest.raises(ModelError, match=said):
            require_sound(LabConfig(**changes))

    def test_the_last_number_of_a_head_of_odd_width_is_not_rotated(self):
        assert LabConfig(hidden_size=15, num_attention_heads=3).n_rotated == 4
        require_sound(LabConfig(hidden_size=15, num_attention_heads=3))

    def test_a_context_shorter_than_the_rows_is_refused(self):
        with pytest.raises(ConfigError, match="context is 24"):
            lab_config(PLAIN, VOCABULARY, CONTEXT + 1)
