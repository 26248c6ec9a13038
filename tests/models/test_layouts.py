"""Checkpoints in folders as people have them: the hub's cache of links and shards, read-only, other tokenizers."""

import hashlib
import shutil
from pathlib import Path

import internal_physics as ip
import pytest
import transformers as T
from internal_physics.ground.errors import SourceError
from internal_physics.models.fetch import fetch
from internal_physics.models.sources import parse_source
from tiny_models import save_snapshot
from tokenizers_of_kinds import byte_level
from tolerances import SAME_PASS

TEXT = "ab cab."


@pytest.fixture
def plain(tmp_path) -> Path:
    return save_snapshot(tmp_path / "plain", "llama")


def in_shards(plain: Path, folder: Path) -> Path:
    """The same model in several files, with its tokenizer."""
    T.AutoModelForCausalLM.from_pretrained(plain).save_pretrained(folder, max_shard_size="20KB")
    T.AutoTokenizer.from_pretrained(plain).save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) > 1
    return folder


def as_hub_cache(folder: Path, cache: Path) -> Path:
    """Names in snapshots/<revision> are relative links to blobs/<checksum>."""
    blobs, names = cache / "blobs", cache / "snapshots" / "0123abcd"
    blobs.mkdir(parents=True)
    names.mkdir(parents=True)
    for file in folder.iterdir():
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copy(file, blobs / digest)
        (names / file.name).symlink_to(Path("../../blobs") / digest)
    return names


def read_only(folder: Path) -> Path:
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.lstat().st_mtime_ns, path.lstat().st_mode) for path in folder.rglob("*")}


def test_shards_behind_the_links_of_a_read_only_hub_cache(plain, tmp_path):
    folder = as_hub_cache(in_shards(plain, tmp_path / "shards"), tmp_path / "cache")
    read_only(tmp_path / "cache")
    before = state_of(tmp_path / "cache")
    expected = ip.record(ip.load(str(plain)), TEXT)
    for source in (folder, fetched(folder, tmp_path / "snapshot")):
        trace = ip.record(ip.load(str(source)), TEXT)
        assert trace.loss_nats == pytest.approx(expected.loss_nats, rel=SAME_PASS)
        assert trace.info.token_ids == expected.info.token_ids
    assert state_of(tmp_path / "cache") == before


def fetched(folder: Path, snapshot: Path) -> Path:
    fetch(parse_source(f"path:{folder}"), snapshot)
    assert not any(path.is_symlink() for path in snapshot.iterdir())
    return snapshot


def test_a_broken_link_is_a_missing_file(plain, tmp_path):
    folder = as_hub_cache(in_shards(plain, tmp_path / "shards"), tmp_path / "cache")
    shard = min(folder.glob("*.safetensors"))
    shard.resolve().unlink()
    with pytest.raises(SourceError) as error:
        ip.load(str(folder))
    assert f"{shard.name} is missing" in error.value.what


def without_pad_or_begin(tokenizer: T.PreTrainedTokenizerFast) -> T.PreTrainedTokenizerFast:
    tokenizer.pad_token = tokenizer.bos_token = tokenizer.unk_token = None
    return tokenizer


def test_a_tokenizer_without_padding_and_begin_gives_batches_that_equal_prompts_alone(plain):
    for path in plain.glob("tokenizer*"):
        path.unlink()
    config = T.AutoConfig.from_pretrained(plain)
    config.vocab_size, config.pad_token_id, config.bos_token_id = 300, None, None
    model = T.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(plain)
    without_pad_or_begin(byte_level()).save_pretrained(plain)
    loaded = ip.load(str(plain))
    assert (loaded.tokenizer.pad_token, loaded.tokenizer.bos_token) == (None, None)
    texts = [TEXT, "a much longer prompt"]
    together = ip.record(loaded, texts, batch_size=2)
    for text, trace in zip(texts, together, strict=True):
        alone = ip.record(loaded, text)
        assert trace.info.token_ids == alone.info.token_ids
        assert trace.loss_nats == pytest.approx(alone.loss_nats, rel=1e-5)  # float32, in another order of sums
