"""Strict YAML: a key given twice is refused wherever it stands; merges and their overrides stay allowed."""

import pytest
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.strict_yaml import load_yaml

MERGED = """
base: &base {source: a, dtype: float32}
chained: &chained {<<: *base, dtype: bfloat16}
last: {<<: *chained, dtype: float16}
"""
DEEP_MERGED = """
base: &base {dtype: float32}
outer: {middle: {inner: &inner {<<: *base, dtype: bfloat16}}}
top: {<<: *inner}
"""
REPEATED = {
    "at the top": "a: 1\nb: 2\na: 3\n",
    "nested": "models:\n  m: {source: x}\n  m: {source: y}\n",
    "in a list": "prompts:\n  - {name: a, name: b}\n",
    "beside a merge": "base: &base {x: 1}\nm: {<<: *base, y: 1, y: 2}\n",
    "as a number": "1: a\n1: b\n",
}


def read(folder, text):
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return load_yaml(path)


@pytest.mark.parametrize("text", REPEATED.values(), ids=REPEATED)
def test_repeated_keys_are_refused(tmp_path, text):
    with pytest.raises(ConfigError, match="is given twice") as refused:
        read(tmp_path, text)
    assert str(tmp_path / "some.yaml") in str(refused.value)
    assert "rename or remove one of them" in str(refused.value)


def test_the_message_names_key_and_line(tmp_path):
    with pytest.raises(ConfigError, match=r"the key 'm' is given twice \(second time in line 3\)"):
        read(tmp_path, REPEATED["nested"])


def test_a_merge_may_be_overridden(tmp_path):
    assert read(tmp_path, MERGED)["last"] == {"source": "a", "dtype": "float16"}


def test_an_override_seen_through_a_later_merge_is_no_repetition(tmp_path):
    # The mapping at the top is built first and merges `inner` before `inner` itself is built.
    found = read(tmp_path, DEEP_MERGED)
    assert found["top"] == found["outer"]["middle"]["inner"] == {"dtype": "bfloat16"}


def test_equal_keys_of_different_mappings_are_no_repetition(tmp_path):
    assert read(tmp_path, "a: {x: 1}\nb: {x: 1}\n") == {"a": {"x": 1}, "b": {"x": 1}}


@pytest.mark.parametrize("text", ["a: [1, 2\n", "a: b: c\n", "- x\ny: 1\n", "? [a, b]\n: 1\n"])
def test_broken_yaml_names_the_file(tmp_path, text):
    with pytest.raises(ConfigError, match="not valid YAML") as refused:
        read(tmp_path, text)
    assert "some.yaml" in str(refused.value)


def test_a_file_in_another_encoding_names_the_file(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Schrödinger\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8 text") as refused:
        load_yaml(path)
    assert "latin.yaml" in str(refused.value)


def test_nothing_but_plain_types_is_built(tmp_path):
    with pytest.raises(ConfigError, match="not valid YAML"):
        read(tmp_path, "a: !!python/object/apply:os.getcwd []\n")
