"""Which files of a folder count: only those that loading uses."""

import json
import re
from pathlib import Path

import pytest
import transformers
from checkpoints import write_index, write_safetensors
from internal_physics.ground.errors import SourceError
from internal_physics.models.adapted import local_files
from internal_physics.models.checkpoint import (
    TOKENIZER_FILES,
    check_whole,
    stored_tensors,
    used_files,
    weight_files,
)
from internal_physics.models.sources import parse_source
from tiny_models import save_snapshot

BESIDE = (
    "README.md",
    "LICENSE.txt",
    "training_args.bin",
    "optimizer.pt",
    "trainer_state.json",
    "all_results.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "consolidated.safetensors",
    "model.fp16.safetensors",
    "modeling_x.py",
    "flax_model.msgpack",
    "events.out.tfevents.1",
    ".gitattributes",
)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).write_text("{}")
    write_safetensors(folder / "model.safetensors", a=[2, 3])
    return folder


def names(files):
    return [Path(file).name for file in files]


def shard(folder, *files):
    """Store the weights in shards instead."""
    (folder / "model.safetensors").unlink()
    for i, file in enumerate(files):
        write_safetensors(folder / file, **{f"t{i}": [4]})
    return write_index(folder, {f"t{i}": file for i, file in enumerate(files)})


def refused(function, *args):
    with pytest.raises(SourceError) as error:
        function(*args)
    return error.value


def test_other_files_beside_a_model_do_not_count(folder):
    before = used_files(folder)
    for name in BESIDE:
        (folder / name).write_text("{}")
    (folder / "original").mkdir()
    (folder / "original" / "consolidated.00.pth").write_text("")
    assert used_files(folder) == before
    assert names(before) == [
        "config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_code_of_the_model_counts_if_it_is_trusted(folder):
    for name in ("modeling_x.py", "its_words.txt"):
        (folder / name).write_text("")
    assert set(names(used_files(folder, trust_remote_code=True))) - set(names(used_files(folder))) == {
        "modeling_x.py",
        "its_words.txt",
    }


def test_an_adapter_beside_a_model_counts(folder):
    """Loading refuses an adapter; it would not notice one that the snapshot left out."""
    (folder / "adapter_config.json").write_text("{}")
    assert "adapter_config.json" in names(used_files(folder))


def test_shards_count_with_their_index(folder):
    shard(folder, "part-2.safetensors", "part-1.safetensors")
    write_safetensors(folder / "consolidated.safetensors", a=[9])
    assert names(weight_files(folder)) == ["part-1.safetensors", "part-2.safetensors"]
    assert [n for n in names(used_files(folder)) if "safetensors" in n] == [
        "model.safetensors.index.json",
        "part-1.safetensors",
        "part-2.safetensors",
    ]


def test_a_single_file_comes_before_an_index_as_in_transformers(folder):
    write_index(folder, {"a": "model-1.safetensors"})
    assert names(weight_files(folder)) == ["model.safetensors"]
    assert "model.safetensors.index.json" not in names(used_files(folder))


def test_weights_named_by_the_config(folder):
    write_safetensors(folder / "other.safetensors", b=[5])
    (folder / "config.json").write_text(json.dumps({"transformers_weights": "other.safetensors"}))
    assert [t.name for t in stored_tensors(folder)] == ["b"]


def test_weights_are_those_that_transformers_loads(tmp_path):
    """With decoys beside them, sharded weights equal those that transformers loads from the folder."""
    folder = save_snapshot(tmp_path / "m")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    write_safetensors(folder / "consolidated.safetensors", decoy=[1000])
    assert len(weight_files(folder)) > 2
    assert {t.name: t.shape for t in stored_tensors(folder)} == {
        name: tuple(p.shape) for name, p in model.state_dict().items()
    }


def test_a_missing_shard_is_named(folder):
    shard(folder, "part-1.safetensors", "part-2.safetensors")
    (folder / "part-2.safetensors").unlink()
    error = refused(weight_files, folder)
    assert error.what == "its weights are not all there: part-2.safetensors is missing"
    assert error.where == str(folder)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[]", "it holds a list"),
        ("{}", "it has no weight_map"),
        ('{"weight_map": {}}', "it has no weight_map"),
        ('{"weight_map": {"a": 1}}', "it has no weight_map"),
        ('{"weight_map": {"a": "../../other.safetensors"}}', "it names '../../other.safetensors'"),
        ('{"weight_map": {"a": "/etc/passwd"}}', "it names '/etc/passwd'"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_an_empty_index_is_named(folder, content, what):
    index = shard(folder, "part-1.safetensors")
    index.write_text(content)
    error = refused(weight_files, folder)
    assert what in error.what
    assert error.where == str(index)


def test_json_that_is_damaged_is_named(folder):
    (folder / "tokenizer.json").write_text('{"a": ')
    error = refused(check_whole, used_files(folder))
    assert error.what.startswith("not valid JSON")
    assert error.where == str(folder / "tokenizer.json")


def test_complete_files_are_accepted(tmp_path):
    check_whole(used_files(save_snapshot(tmp_path / "m")))


def test_every_file_of_transformers_tokenizers_counts(tmp_path):
    """transformers lists the files of each tokenizer in its module, as VOCAB_FILES_NAMES."""
    modules = Path(transformers.__file__).parent.rglob("tokenization*.py")
    tables = [t for m in modules for t in re.findall(r"VOCAB_FILES_NAMES\s*=\s*(\{[^}]*\})", m.read_text("utf-8"))]
    files = {file for table in tables for file in re.findall(r':\s*"([^"]+)"', table)}
    assert len(files) > 20
    for file in files | {"cl100k_base.tiktoken", "tokenizer.model.v3", "tekken.json", "added_tokens.json"}:
        (tmp_path / file).write_text("{}")
    assert {file for file in files if file not in names(used_files(tmp_path))} == set()
    assert TOKENIZER_FILES


class TestLocalFiles:
    def test_of_a_folder(self, folder):
        (folder / "README.md").write_text("x")
        assert local_files(parse_source(f"path:{folder}")) == [str(file) for file in used_files(folder)]

    def test_of_a_file(self, tmp_path):
        (tmp_path / "m.gguf").write_bytes(b"")
        assert local_files(parse_source(f"path:{tmp_path}/m.gguf")) == [f"{tmp_path}/m.gguf"]

    def test_of_pickled_weights(self, folder):
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes(b"")
        assert str(folder / "pytorch_model.bin") in local_files(parse_source(f"path:{folder}"))

    def test_of_missing_folders_and_hubs(self, tmp_path):
        assert local_files(parse_source(f"path:{tmp_path}/none")) == []
        assert local_files(parse_source("hf:org/name")) == []

    def test_of_an_adapter_and_of_its_base(self, folder, tmp_path):
        base = {str(file) for file in used_files(folder)}
        adapter = tmp_path / "lora"
        adapter.mkdir()
        (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(folder)}))
        (adapter / "adapter_model.safetensors").write_bytes(b"")
        (adapter / "tokenizer.json").write_text("{}")
        (adapter / "optimizer.pt").write_bytes(b"")
        own = {f"{adapter}/{name}" for name in ("adapter_config.json", "adapter_model.safetensors", "tokenizer.json")}
        assert set(local_files(parse_source(f"path:{adapter}"))) == base | own
        assert set(local_files(parse_source(f"path:{folder}", adapter=f"path:{adapter}"))) == base | own
        assert set(local_files(parse_source("hf:org/base", adapter=f"path:{adapter}"))) == own

    def test_of_a_damaged_folder_all_files_count_so_that_fetch_shows_the_error(self, folder):
        shard(folder, "part-1.safetensors").write_text("{")
        (folder / "README.md").write_text("x")
        assert set(names(local_files(parse_source(f"path:{folder}")))) == {p.name for p in folder.iterdir()}
