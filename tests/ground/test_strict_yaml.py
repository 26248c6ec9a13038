"""Strict YAML: a repeated key is refused anywhere; merges and their overrides are allowed."""

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


def test_an_override_in_a_later_merge_is_not_a_repetition(tmp_path):
    # The mapping at the top is built first and merges `inner` before `inner` itself is built.
    found = read(tmp_path, DEEP_MERGED)
    assert found["top"] == found["outer"]["middle"]["inner"] == {"dtype": "bfloat16"}


def test_equal_keys_of_different_mappings_are_not_a_repetition(tmp_path):
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


def test_only_plain_types_are_built(tmp_path):
    with pytest.raises(ConfigError, match="not valid YAML"):
        read(tmp_path, "a: !!python/object/apply:os.getcwd []\n")


def refused(folder, text):
    with pytest.raises(ConfigError) as error:
        read(folder, text)
    assert error.value.where == str(folder / "some.yaml")
    return error.value


def test_the_line_of_invalid_yaml_is_named(tmp_path):
    error = refused(tmp_path, "a: 1\nb: [1, 2\nc: 3\n")
    assert error.what.startswith("not valid YAML: ")
    assert error.what.endswith("in line 3, column 2")


@pytest.mark.parametrize("text", ["a: 2020-13-45\n", "a: !!int x\n", f"a: {'9' * 5000}\n", "a: !!float x\n"])
def test_an_impossible_date_or_number(tmp_path, text):
    error = refused(tmp_path, text)
    assert "not valid YAML" in error.what
    assert "in quotes" in error.todo


@pytest.mark.parametrize("n_levels", [101, 20_000, 1_000_000])
def test_too_many_levels(tmp_path, n_levels):
    assert refused(tmp_path, "\n" + "[" * n_levels).what == "it is nested deeper than 100 levels, in line 2"


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: {c: *a}}\n"])
def test_an_alias_to_itself(tmp_path, text):
    assert refused(tmp_path, text).what == "an alias refers to itself"


def test_aliases_that_expand_beyond_memory(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "millions of entries" in refused(tmp_path, "\n".join(lines)).what


@pytest.mark.parametrize("text", ["a: \0\n", "a: 1\n---\nb: 2\n", "!!binary x\n", "a: *b\n", "\t- x\n", "%YAML 9\n"])
def test_other_damage_is_refused_too(tmp_path, text):
    assert refused(tmp_path, text).what


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        load_yaml(tmp_path / "none.yaml")


def test_an_empty_file_gives_nothing(tmp_path):
    assert read(tmp_path, "") is None
