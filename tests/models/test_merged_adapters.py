"""LoRA adapters merged into their base: the logits are those of the adapter beside the weights."""

from math import sqrt

import pytest
import torch
import transformers as T
from internal_physics.models.fetch import fetch
from internal_physics.models.sources import parse_source
from lora_adapters import factors, run_beside, write_adapter
from merged_adapters import EMBEDDINGS, TARGETS, assert_runs_as, base_and_adapter, logits
from safetensors.torch import load_file, save_file
from tiny_models import build_model, build_tokenizer, save_snapshot


class TestWhatIsComputed:
    @pytest.mark.parametrize("name", TARGETS)
    @pytest.mark.parametrize("lengths", [False, True], ids=["lora", "dora"])
    def test_linear_maps_of_many_architectures(self, tmp_path, name, lengths):
        targets = TARGETS[name]
        _, adapter, model, tensors = base_and_adapter(
            tmp_path,
            name,
            lambda m: {k: v for t in targets for k, v in factors(m, t, lengths=lengths).items()},
            use_dora=lengths,
            fan_in_fan_out=name == "gpt2",
        )
        before = logits(model)
        expected = logits(run_beside(model, tensors, dict.fromkeys(targets, 7 / 3)))
        assert (before - expected).abs().max() > 1e-3  # the adapter does something
        assert_runs_as(adapter, expected, name)

    @pytest.mark.parametrize("by_root", [False, True], ids=["lora", "rslora"])
    def test_ranks_and_alphas_of_their_own(self, tmp_path, by_root):
        """The first pattern that fits the end of a module's name counts."""
        q, down = TARGETS["llama"]
        _, adapter, model, tensors = base_and_adapter(
            tmp_path,
            "llama",
            lambda m: factors(m, q, rank=5) | factors(m, down, rank=2),
            rank_pattern={"q_proj": 5, r"layers\.2\.mlp\.down_proj": 2},
            alpha_pattern={r".*\.mlp\.down_proj": 11, "down_proj": 1},
            use_rslora=by_root,
        )
        scales = {q: 7 / sqrt(5), down: 11 / sqrt(2)} if by_root else {q: 7 / 5, down: 11 / 2}
        assert_runs_as(adapter, logits(run_beside(model, tensors, scales)))

    @pytest.mark.parametrize("name", EMBEDDINGS)
    def test_an_embedding_alone_leaves_a_head_that_was_tied_to_it(self, tmp_path, name):
        table = EMBEDDINGS[name]
        _, adapter, model, tensors = base_and_adapter(tmp_path, name, lambda m: factors(m, table))
        expected = logits(run_beside(model, tensors, {table: 7 / 3}))
        found = assert_runs_as(adapter, expected, name)
        head, embedding = (
            m.weight for m in (found.module.get_output_embeddings(), found.module.get_input_embeddings())
        )
        assert not torch.equal(head, embedding)
        torch.testing.assert_close(head, model.get_output_embeddings().weight, rtol=0, atol=0)

    @pytest.mark.parametrize("name", ["llama", "llama_tied", "gpt2"])
    @pytest.mark.parametrize("saved", [("lm_head",), ("embedding",), ("lm_head", "embedding")], ids=str)
    def test_whole_modules(self, tmp_path, name, saved):
        """modules_to_save: what is saved takes the place of the base's own, of a tied pair that of one alone."""
        model = build_model(name)
        sites = {"lm_head": "lm_head", "embedding": EMBEDDINGS[name]}
        torch.manual_seed(5)
        whole = {f"{sites[s]}.weight": torch.randn(97, 32) for s in saved}
        base = save_snapshot(tmp_path / "base", name)
        target = TARGETS[name][0]
        tensors = factors(model, target) | whole
        adapter = write_adapter(tmp_path / "lora", base, tensors, modules_to_save=list(saved))
        for parameter, values in whole.items():
            model.get_submodule(parameter.removesuffix(".weight")).weight = torch.nn.Parameter(values)
        assert_runs_as(adapter, logits(run_beside(model, tensors, {target: 7 / 3})), name)

    def test_biases(self, tmp_path):
        target, other = "transformer.h.0.attn.c_attn", "transformer.h.1.ln_1"
        _, adapter, model, tensors = base_and_adapter(
            tmp_path,
            "gpt2",
            lambda m: (
                factors(m, target, bias=True)
                | {name: b.detach() for name, b in m.named_parameters() if name.endswith("bias") and target not in name}
                | {f"{target}.base_layer.bias": torch.arange(96) / 96, f"{other}.bias": torch.arange(32) / 32}
            ),
            bias="all",
            lora_bias=True,
        )
        with torch.no_grad():
            model.get_submodule(target).bias.copy_(torch.arange(96) / 96)
            model.get_submodule(other).bias.copy_(torch.arange(32) / 32)
        assert_runs_as(adapter, logits(run_beside(model, tensors, {target: 7 / 3})), "gpt2")

    def test_one_expert_of_a_mixture_whose_model_stacks_them(self, tmp_path):
        """Adapters from before transformers stacked experts name the matrix that the files still have."""
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
        torch.manual_seed(0)
        config = T.MixtralConfig(vocab_size=97, num_key_value_heads=2, num_local_experts=2, **sizes)
        model = T.MixtralForCausalLM(config)
        model.save_pretrained(tmp_path / "base")
        build_tokenizer().save_pretrained(tmp_path / "base")
        key = next(k for k in load_file(tmp_path / "base" / "model.safetensors") if k.endswith("experts.1.w2.weight"))
        a, b = torch.randn(3, 64), torch.randn(32, 3)
        module = key.removesuffix(".weight")
        adapter = write_adapter(
            tmp_path / "lora", tmp_path / "base", {f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b}
        )
        with torch.no_grad():
            model.model.layers[0].mlp.experts.down_proj[1] += 7 / 3 * b @ a
        assert_runs_as(adapter, logits(model))

    def test_half_precision_weights_are_merged_without_rounding_them_again(self, tmp_path, llama):
        base, adapter, _ = llama
        file = base / "model.safetensors"
        halves = {name: values.bfloat16() for name, values in load_file(file).items()}
        save_file(halves, file, metadata={"format": "pt"})
        manifest = fetch(parse_source(f"path:{adapter}"), tmp_path / "snapshot")
        found = load_file(tmp_path / "snapshot" / "model.safetensors")
        name, parts = f"{TARGETS['llama'][0]}.weight", load_file(adapter / "adapter_model.safetensors")
        a, b = (next(v for k, v in parts.items() if part in k).double() for part in ("lora_A", "lora_B"))
        expected = halves[name].double() + 7 / 3 * b @ a
        torch.testing.assert_close(found[name], expected.float(), rtol=0, atol=0)
        assert {v.dtype for k, v in found.items() if k != name} == {torch.bfloat16}
        assert manifest.stored_as == "BF16"
