"""Where an adapter comes from, and adapters that are refused."""

import json
import os
import shutil
from pathlib import Path

import internal_physics as ip
import pytest
import torch
from internal_physics.ground.errors import SourceError
from internal_physics.models.fetch import fetch
from internal_physics.models.snapshot import read_manifest, sha256_of
from internal_physics.models.sources import parse_source
from lora_adapters import factors, run_beside, write_adapter
from merged_adapters import TARGETS, assert_runs_as, logits
from safetensors.torch import load_file, save_file
from tiny_models import build_model, build_tokenizer, save_snapshot


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

    def test_a_base_in_a_hub_that_is_not_reached_names_the_adapter(self, llama, monkeypatch):
        _, adapter, _ = llama
        settings = json.loads((adapter / "adapter_config.json").read_text())
        settings["base_model_name_or_path"] = "nobody/nothing"
        (adapter / "adapter_config.json").write_text(json.dumps(settings))
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(SourceError) as error:
            ip.load(str(adapter))
        assert error.value.where == f"{adapter}: hf:nobody/nothing@main"

    def test_weights_whose_metadata_are_not_texts_are_refused_by_name(self, llama):
        _, adapter, _ = llama
        weights = adapter / "adapter_model.safetensors"
        content = weights.read_bytes()
        end = 8 + int.from_bytes(content[:8], "little")
        header = json.dumps(json.loads(content[8:end]) | {"__metadata__": {"format": None}}).encode()
        weights.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])
        with pytest.raises(SourceError) as error:
            ip.load(str(adapter))
        assert error.value.where == str(weights)
        assert error.value.what.startswith("its weights cannot be read: ")

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
            ("a_setting_of_tomorrow", 0),
            ("loftq_config", {"loftq_bits": 4}),
            ("megatron_config", {"tensor_model_parallel_size": 2}),
            ("arrow_config", {"top_k": 2}),
            ("velora_config", {"rank": 1}),
            ("kasa_config", {"beta": 1}),
            ("monteclora_config", {"n": 1}),
            ("use_bdlora", {"nblocks": 2}),
        ],
    )
    def test_settings_that_are_not_applied(self, llama, name, value):
        assert self.refused(self.edit(llama[1], **{name: value})).what.startswith(f"its setting {name}: ")

    @pytest.mark.parametrize("start", ["pissa", "pissa_niter_16", "olora", "corda", "loftq", "lora_ga", "mica"])
    def test_initialisations_that_change_the_base(self, llama, start):
        assert "changed its base model" in self.refused(self.edit(llama[1], init_lora_weights=start)).what

    @pytest.mark.parametrize(
        ("settings", "what"),
        [
            ({"r": 4}, "the factors of model.layers.0.self_attn.q_proj have rank 3, and its settings say 4"),
            ({"rank_pattern": {"q_proj": 2}}, "the factors of model.layers.0.self_attn.q_proj have rank 3"),
            ({"lora_alpha": "7"}, "a rank or an alpha is no number"),
            ({"rank_pattern": [3]}, "a rank or an alpha is no number"),
            ({"lora_alpha": float("inf")}, "a rank or an alpha is no number"),
            ({"rank_pattern": {"(": 3}}, "its pattern '(' of modules is no regular expression"),
            ({"alpha_pattern": {"*": 7}}, "its pattern '*' of modules is no regular expression"),
            ({"use_rslora": "no"}, "use_rslora is 'no'"),
            ({"use_dora": "false"}, "use_dora is 'false'"),
            ({"lora_bias": 2}, "lora_bias is 2"),
            ({"bias": "some"}, "its bias is 'some'"),
            ({"target_modules": [1]}, "its target_modules is [1]"),
            ({"target_modules": "("}, "its target_modules is '('"),
            ({"exclude_modules": {"a": 1}}, "its exclude_modules is {'a': 1}"),
            (
                {"layers_to_transform": [0], "target_modules": ".*q_proj"},
                "it has layers_to_transform and one expression as target_modules",
            ),
            ({"layers_to_transform": "0"}, "its layers_to_transform is '0'"),
            ({"layers_pattern": ["["]}, "its layers_pattern is '['"),
            ({"modules_to_save": "lm_head"}, "its modules_to_save is 'lm_head'"),
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

    @pytest.mark.parametrize("how", ["by its settings", "by the option"])
    def test_an_adapter_of_an_adapter(self, llama, tmp_path, how):
        _, adapter, _ = llama
        second = shutil.copytree(adapter, tmp_path / "second")
        self.edit(second, base_model_name_or_path=str(adapter))
        source, options = (second, {}) if how == "by its settings" else (adapter, {"adapter": second})
        with pytest.raises(SourceError) as caught:
            ip.load(str(source), **options)
        error = caught.value
        assert error.what == f"its base model, {adapter}, is an adapter itself"
        assert f"`adapter: path:{second}`" in error.todo

    @pytest.mark.parametrize("content", [{"a": {}}, [1]])
    def test_pickles_of_other_things(self, llama, content):
        (llama[1] / "adapter_model.safetensors").unlink()
        torch.save(content, llama[1] / "adapter_model.bin")
        assert self.refused(llama[1], allow_pickle=True).what.startswith("its pickled weights are refused: ")

    def test_no_weights(self, llama):
        (llama[1] / "adapter_model.safetensors").unlink()
        assert self.refused(llama[1]).what == "it has no weights"

    def test_what_is_no_adapter(self, llama):
        with pytest.raises(SourceError, match=r"there is no adapter_config\.json in it"):
            ip.load(str(llama[0]), adapter=llama[0])
