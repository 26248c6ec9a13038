"""LoRA adapters merged into their base: the logits are those of the adapter beside the weights."""

import json
import os
import shutil
from math import sqrt
from pathlib import Path

import internal_physics as ip
import pytest
import torch
import transformers as T
from internal_physics.ground.errors import SourceError
from internal_physics.models.fetch import fetch
from internal_physics.models.snapshot import read_manifest, sha256_of
from internal_physics.models.sources import parse_source
from lora_adapters import factors, run_beside, write_adapter
from safetensors.torch import load_file, save_file
from tiny_models import build_model, build_tokenizer, save_snapshot, task_of
from tolerances import SAME_PASS

IDS = torch.tensor([[7, 9, 11, 20, 8, 30]])
TARGETS = {
    "llama": ("model.layers.0.self_attn.q_proj", "model.layers.2.mlp.down_proj"),
    "llama_tied": ("model.layers.0.self_attn.q_proj", "model.layers.2.mlp.down_proj"),
    "gpt2": ("transformer.h.0.attn.c_attn", "transformer.h.1.mlp.c_proj"),
    "gpt_neox": ("gpt_neox.layers.1.attention.query_key_value",),
    "falcon": ("transformer.h.0.self_attention.query_key_value",),
    "phi3": ("model.layers.1.mlp.gate_up_proj",),
    "bert": ("bert.encoder.layer.1.attention.self.query", "cls.predictions.transform.dense"),
    "distilbert": ("distilbert.transformer.layer.0.ffn.lin1",),
}
EMBEDDINGS = {"llama": "model.embed_tokens", "llama_tied": "model.embed_tokens", "gpt2": "transformer.wte"}


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


def assert_runs_as(folder, expected, name="llama", **options):
    found = ip.load(str(folder), task=task_of(name), **options)
    worst = (logits(found.module) - expected).abs().max() / expected.abs().max()
    assert worst <= SAME_PASS
    return found


def base_and_adapter(tmp_path, name, tensors_of, **settings):
    """Folders of a base and of its adapter, and the base's model in memory."""
    base = save_snapshot(tmp_path / "base", name)
    model = build_model(name)
    tensors = tensors_of(model)
    return base, write_adapter(tmp_path / "lora", base, tensors, **settings), model, tensors


@pytest.fixture
def llama(tmp_path):
    """A base, and an adapter of one map."""
    target = TARGETS["llama"][0]
    base, adapter, model, tensors = base_and_adapter(tmp_path, "llama", lambda m: factors(m, target))
    return base, adapter, logits(run_beside(model, tensors, {target: 7 / 3}))


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


class TestWhereItLies:
    def test_the_folder_of_an_adapter_stands_for_both(self, llama, tmp_path):
        base, adapter, expected = llama
        assert_runs_as(adapter, expected)
        manifest = fetch(parse_source(f"path:{adapter}"), tmp_path / "snapshot")
        assert manifest == read_manifest(tmp_path / "snapshot")
        assert manifest.adapter == f"LoRA path:{adapter} merged into path:{base}"
        assert manifest.revision.startswith(f"sha256:{sha256_of(base / 'model.safetensors')} + sha256:")

    def test_a_base_with_the_option(self, llama):
        base, adapter, expected = llama
        found = assert_runs_as(base, expected, adapter=adapter)
        assert found.labels["adapter"] == f"LoRA path:{adapter} merged into path:{base}"
        assert ip.record(found, "the cat").info.labels["adapter"] == found.labels["adapter"]

    def test_another_base_than_the_settings_name(self, llama, tmp_path):
        """The option says which: settings often name a folder of the machine that trained it."""
        base, adapter, expected = llama
        base.rename(tmp_path / "moved")
        with pytest.raises(SourceError) as error:
            ip.load(str(adapter))
        assert error.value.what == f"its base model, {base}, is not there"
        assert error.value.todo == f"set `source` to the base model, and `adapter: path:{adapter}`"
        assert_runs_as(tmp_path / "moved", expected, adapter=adapter)

    def test_beside_its_base_it_is_applied_if_that_is_asked_for(self, llama):
        base, adapter, expected = llama
        for file in adapter.iterdir():
            shutil.copy(file, base)
        with pytest.raises(SourceError) as error:
            ip.load(str(base))
        assert f"set `adapter: path:{base}`" in error.value.todo
        assert_runs_as(base, expected, adapter=base)

    def test_the_files_of_base_and_adapter_stay_as_they_are(self, llama, tmp_path):
        base, adapter, _ = llama
        before = {p: sha256_of(p) for f in (base, adapter) for p in f.iterdir()}
        fetch(parse_source(f"path:{adapter}"), tmp_path / "snapshot")
        assert {p: sha256_of(p) for p in before} == before
        assert not list((tmp_path / "snapshot").glob("*adapter*"))

    def test_shards_without_changed_weights_are_linked(self, tmp_path):
        target = TARGETS["llama"][0]
        base = save_snapshot(tmp_path / "base")
        model = build_model("llama")
        model.save_pretrained(base, max_shard_size="20KB")
        (base / "model.safetensors").unlink()
        tensors = factors(model, target)
        adapter = write_adapter(tmp_path / "lora", base, tensors)
        assert_runs_as(adapter, logits(run_beside(model, tensors, {target: 7 / 3})))
        fetch(parse_source(f"path:{adapter}"), tmp_path / "snapshot")
        shards = sorted(path.name for path in base.glob("*.safetensors"))
        same = [n for n in shards if os.path.samefile(base / n, tmp_path / "snapshot" / n)]
        assert len(shards) > 3
        assert len(same) == len(shards) - 1

    def test_its_own_tokenizer_is_used(self, llama):
        _, adapter, expected = llama
        tokenizer = build_tokenizer()
        tokenizer.chat_template = "{{ messages[0]['content'] }}>"
        tokenizer.save_pretrained(adapter)
        assert "chat_template" in assert_runs_as(adapter, expected).tokenizer.__dict__

    def test_pickled_weights_only_where_they_are_allowed(self, llama):
        _, adapter, expected = llama
        file = adapter / "adapter_model.safetensors"
        torch.save(load_file(file), adapter / "adapter_model.bin")
        file.unlink()
        with pytest.raises(SourceError) as error:
            ip.load(str(adapter))
        assert error.value.what == "its weights are pickled (adapter_model.bin): loading them can run code"
        assert_runs_as(adapter, expected, allow_pickle=True)

    def test_a_pinned_checksum(self, llama):
        base, adapter, expected = llama
        assert_runs_as(base, expected, adapter=adapter, sha256=sha256_of(base / "model.safetensors"))
        assert_runs_as(adapter, expected, sha256=sha256_of(adapter / "adapter_model.safetensors"))
        for source, options in ((base, {"adapter": adapter}), (adapter, {})):
            with pytest.raises(SourceError, match="has sha256"):
                ip.load(str(source), sha256="0" * 64, **options)


class TestWhatIsRefused:
    """Never applied in part, and never left out in silence."""

    def refused(self, adapter, **options):
        with pytest.raises(SourceError) as error:
            ip.load(str(adapter), **options)
        assert str(Path(adapter)) in error.value.where
        return error.value

    def edit(self, adapter, **settings):
        path = adapter / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | settings))
        return adapter

    def add(self, adapter, **tensors):
        file = adapter / "adapter_model.safetensors"
        named = {f"base_model.model.{name.replace('__', '.')}": values for name, values in tensors.items()}
        save_file(load_file(file) | named, file)
        return adapter

    @pytest.mark.parametrize("kind", ["IA3", "ADALORA", "LOHA", "OFT", "VERA", "PROMPT_TUNING", None])
    def test_other_kinds_of_adapters(self, llama, kind):
        error = self.refused(self.edit(llama[1], peft_type=kind))
        assert error.what == f"its peft_type is {kind!r}"
        assert "merge_and_unload" in error.todo

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("target_parameters", ["mlp.experts.down_proj"]),
            ("trainable_token_indices", [1, 2]),
            ("layer_replication", [[0, 2], [1, 3]]),
            ("alora_invocation_tokens", [7]),
            ("ensure_weight_tying", True),
            ("use_qalora", True),
            ("a_setting_of_tomorrow", "yes"),
        ],
    )
    def test_settings_that_are_not_applied(self, llama, name, value):
        assert self.refused(self.edit(llama[1], **{name: value})).what.startswith(f"its setting {name}: ")

    @pytest.mark.parametrize("start", ["pissa", "pissa_niter_16", "olora", "corda", "loftq"])
    def test_initialisations_that_change_the_base(self, llama, start):
        assert "changed its base model" in self.refused(self.edit(llama[1], init_lora_weights=start)).what

    @pytest.mark.parametrize(
        ("settings", "what"),
        [
            ({"r": 4}, "the factors of model.layers.0.self_attn.q_proj have rank 3, and its settings say 4"),
            ({"rank_pattern": {"q_proj": 2}}, "the factors of model.layers.0.self_attn.q_proj have rank 3"),
            ({"lora_alpha": "7"}, "a rank or an alpha is no number"),
            ({"rank_pattern": [3]}, "a rank or an alpha is no number"),
            ({"base_model_name_or_path": None}, "its settings name no base model"),
        ],
    )
    def test_settings_that_do_not_fit(self, llama, settings, what):
        assert self.refused(self.edit(llama[1], **settings)).what.startswith(what)

    @pytest.mark.parametrize(
        ("name", "shape", "what"),
        [
            (
                "model__layers__7__mlp__up_proj__lora_A__weight",
                (3, 32),
                "the factors of model.layers.7.mlp.up_proj are not",
            ),
            ("model__norm__weight", (31,), "what it holds for model.norm.weight has another shape"),
            ("model__embed_tokens__weight", (99, 32), "what it holds for model.embed_tokens.weight has another shape"),
            ("model__nowhere__weight", (3,), "it changes model.nowhere.weight, and its base model stores no such"),
            ("model__embed_tokens__trainable_tokens_delta", (2, 32), "its tensor base_model.model.model.embed_tokens"),
            ("model__layers__0__mlp__vera_lambda_b", (3,), "it changes model.layers.0.mlp.vera_lambda_b"),
            ("model__layers__0__mlp__up_proj__lora_gate", (3,), "its tensor base_model.model.model.layers.0.mlp.up"),
        ],
    )
    def test_tensors_that_fit_nothing(self, llama, name, shape, what):
        assert self.refused(self.add(llama[1], **{name: torch.zeros(shape)})).what.startswith(what)

    def test_factors_of_other_sizes(self, llama):
        adapter = self.add(
            llama[1],
            model__layers__0__mlp__up_proj__lora_A__weight=torch.zeros(3, 31),
            model__layers__0__mlp__up_proj__lora_B__weight=torch.zeros(64, 3),
        )
        assert "factors of 64 x 31 numbers for a weight of (64, 32)" in self.refused(adapter).what

    def test_a_base_that_is_stored_quantised(self, llama):
        base, adapter, _ = llama
        config = json.loads((base / "config.json").read_text())
        settings = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
        (base / "config.json").write_text(json.dumps(config | {"quantization_config": settings}))
        error = self.refused(adapter)
        assert error.what == "its base model is stored quantised (nf4), and an adapter is not merged into codes"

    def test_no_weights(self, llama):
        (llama[1] / "adapter_model.safetensors").unlink()
        assert self.refused(llama[1]).what == "it has no weights"

    def test_what_is_no_adapter(self, llama):
        with pytest.raises(SourceError, match=r"there is no adapter_config\.json in it"):
            ip.load(str(llama[0]), adapter=llama[0])
