"""Prompt sets: read from YAML and CSV, or refused with the place, what was found and what to do."""

from pathlib import Path

import pytest
from internal_physics.config.prompts import FIELDS, Prompt, parse_prompts, read_prompts
from internal_physics.ground.errors import ConfigError, PromptError

SHIPPED = sorted((Path(__file__).parents[2] / "resources" / "prompts").glob("*.yaml"))
TWO = [Prompt("a", "Hello, world"), Prompt("b", "Bye", kind="farewell", answer="now")]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def refused(raw, where="some.yaml"):
    with pytest.raises(PromptError) as error:
        parse_prompts(raw, where=where)
    return error.value


@pytest.mark.parametrize(
    "text",
    [
        'prompts:\n  - {name: a, text: "Hello, world"}\n  - {name: b, text: Bye, kind: farewell, answer: now}\n',
        'description: Words.\nprompts:\n  - name: a\n    text: "Hello, world"\n'
        "  - {name: b, text: Bye, kind: farewell, answer: now}\n",
        '- {name: a, text: "Hello, world"}\n- {name: b, text: Bye, kind: farewell, answer: now}\n',
    ],
    ids=["mapping", "described", "list"],
)
@pytest.mark.parametrize("name", ["set.yaml", "set.yml"])
def test_yaml(tmp_path, text, name):
    assert read_prompts(write(tmp_path / name, text)) == TWO


@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "with the byte-order mark of a spreadsheet"])
def test_csv(tmp_path, start):
    text = start + 'name,text,kind,answer\na,"Hello, world",,\nb,Bye,farewell,now\n'
    assert read_prompts(write(tmp_path / "set.csv", text)) == TWO


def test_a_csv_keeps_digits_as_text(tmp_path):
    found = read_prompts(write(tmp_path / "set.csv", "name,text\n1,0042\n"))
    assert found == [Prompt("1", "0042")]


def test_order_and_letter_case_are_kept():
    raw = [{"name": name, "text": "x y"} for name in ("b", "A", "c.1", "d_2", "e-3")]
    assert [prompt.name for prompt in parse_prompts(raw, where="")] == ["b", "A", "c.1", "d_2", "e-3"]


def test_to_json_leaves_out_what_is_empty_and_reads_back():
    assert TWO[0].to_json() == {"name": "a", "text": "Hello, world"}
    assert parse_prompts([prompt.to_json() for prompt in TWO], where="") == TWO


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PromptError, match="there is no such file") as error:
        read_prompts(tmp_path / "nowhere.yaml")
    assert error.value.where == str(tmp_path / "nowhere.yaml")
    assert "relative to the working directory" in error.value.todo


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(PromptError, match=r"ending in '\.json'") as error:
        read_prompts(write(tmp_path / "set.json", "[]"))
    assert error.value.expected == ".yaml, .yml or .csv"


def test_a_text_with_an_unquoted_comma_is_explained(tmp_path):
    with pytest.raises(PromptError, match="more cells than the header") as error:
        read_prompts(write(tmp_path / "set.csv", "name,text\na,Hello, world\n"))
    assert "set.csv: line 2" in error.value.where
    assert "quotes" in error.value.todo


def test_a_row_of_a_csv_is_named_by_its_line(tmp_path):
    path = write(tmp_path / "set.csv", 'name,text\na,"x\ny"\n\nb,\n')
    with pytest.raises(PromptError, match="prompt 'b' has no text") as error:
        read_prompts(path)
    assert error.value.where == f"{path}: line 5"


def test_a_repeated_name_is_named_with_both_lines(tmp_path):
    with pytest.raises(PromptError, match="the name 'a' is used twice: line 2 and line 4"):
        read_prompts(write(tmp_path / "set.csv", "name,text\na,x\nb,y\nA,z\n"))


def test_a_quote_that_is_never_closed_is_refused(tmp_path):
    with pytest.raises(PromptError, match="a double quote is opened and never closed") as error:
        read_prompts(write(tmp_path / "set.csv", 'name,text\na,"first\nb,second\nc,third\n'))
    assert error.value.where.endswith("set.csv: line 2")


def test_a_text_longer_than_the_csv_modules_limit_is_read(tmp_path):
    text = "word " * 30_000
    assert read_prompts(write(tmp_path / "set.csv", f"name,text\na,{text}\n")) == [Prompt("a", text)]


def test_the_message_names_semicolons_as_the_separator(tmp_path):
    with pytest.raises(PromptError, match="its columns are separated by semicolons"):
        read_prompts(write(tmp_path / "set.csv", "id;prompt;name\n1;x;y\n"))


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", r"'\|'")])
def test_a_separator_is_recognised_under_columns_of_any_name(tmp_path, separator, name):
    with pytest.raises(PromptError, match=f"its columns are separated by {name}"):
        read_prompts(write(tmp_path / "set.csv", f"id{separator}prompt\n1{separator}x\n"))


@pytest.mark.parametrize(
    ("written", "meant"), [("id", "name"), ("prompt", "text"), ("Prompt", "text"), ("label", "kind"), ("txt", "text")]
)
def test_the_message_says_what_a_field_of_another_program_is_called_here(tmp_path, written, meant):
    row = f"name,text,{written}\na,x,y\n"
    for call in (
        lambda: read_prompts(write(tmp_path / "set.csv", row)),
        lambda: parse_prompts([{"name": "a", written.lower(): "x"}], "config"),
    ):
        with pytest.raises(PromptError) as error:
            call()
        assert error.value.todo == f"did you mean '{meant}'?"


@pytest.mark.parametrize("ending", ["csv", "CSV", "yaml", "YML"])
def test_the_number_of_prompts_is_logged(tmp_path, caplog, ending):
    text = "name,text\na,x\nb,y\n" if ending.lower() == "csv" else "- {name: a, text: x}\n- {name: b, text: y}\n"
    path = write(tmp_path / f"set.{ending}", text)
    with caplog.at_level("INFO", logger="internal_physics"):
        assert len(read_prompts(path, where="my.yaml: s → ")) == 2
    assert [record.getMessage() for record in caplog.records] == [f"my.yaml: s → {path}: 2 prompts"]


@pytest.mark.parametrize(
    ("text", "n_warnings"),
    [
        ('name,text\na,"first\nb,second\nc,third"\nd,x\n', 1),  # two prompts may be lost in the first one's text
        ('name,text\na,"first\nsecond line"\nd,x\n', 0),
        ('name,text\na,"Dear John,\nhow are you, today?"\nd,x\n', 0),
    ],
)
def test_a_text_that_contains_what_looks_like_a_row_is_reported(tmp_path, caplog, text, n_warnings):
    prompts = read_prompts(write(tmp_path / "set.csv", text))
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [p.name for p in prompts] == ["a", "d"]
    assert len(warned) == n_warnings
    if warned:
        assert "line 2: the text of prompt 'a' goes on to line 4, and 'b,second' in it looks like a row" in warned[0]


@pytest.mark.parametrize("name", ["1", "42", "1_000", "0x1F", "e3", "nan", "null", "1e3", "TRUE", "007", "NA", "1.10"])
def test_a_name_is_text_whatever_it_looks_like(tmp_path, name):
    assert read_prompts(write(tmp_path / "set.csv", f"name,text\n{name},{name}\n")) == [Prompt(name, name)]
    assert read_prompts(write(tmp_path / "set.yaml", f'- {{name: "{name}", text: "{name}"}}\n')) == [Prompt(name, name)]


@pytest.mark.parametrize(
    ("written", "value"), [("null", None), ("TRUE", True), ("007", 7), (".nan", "nan"), ("~", None)]
)
def test_a_name_that_yaml_reads_as_something_else_must_be_quoted(tmp_path, written, value):
    with pytest.raises(PromptError, match=rf"name is {value}, not text") as error:
        read_prompts(write(tmp_path / "set.yaml", f"- {{name: {written}, text: x}}\n"))
    assert error.value.where.endswith("set.yaml: prompt 1")
    assert error.value.todo == "put it in quotes"


@pytest.mark.parametrize("text", ["nan", "null", "1e3", "TRUE", "007", "NA"])
def test_a_text_may_hold_any_characters(tmp_path, text):
    assert read_prompts(write(tmp_path / "set.csv", f"name,text,kind\na,{text},{text}\n")) == [Prompt("a", text, text)]


def test_a_csv_in_another_encoding_is_explained(tmp_path):
    (tmp_path / "set.csv").write_bytes("name,text\na,Käse und Brot\n".encode("latin-1"))
    with pytest.raises(PromptError, match="not UTF-8 text") as error:
        read_prompts(tmp_path / "set.csv")
    assert error.value.where == str(tmp_path / "set.csv")


def test_a_repeated_yaml_key_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="the key 'text' is given twice"):
        read_prompts(write(tmp_path / "set.yaml", "prompts:\n  - {name: a, text: x, text: y}\n"))


@pytest.mark.parametrize(
    "text", ["", "prompts: []\n", "prompts:\n", "promts:\n  - {name: a, text: b}\n", "prompts: hello\n"]
)
def test_an_empty_set_is_refused(tmp_path, text):
    with pytest.raises(PromptError, match="no prompts found") as error:
        read_prompts(write(tmp_path / "set.yaml", text))
    assert error.value.expected == "a list of prompts, each with `name` and `text`"


def test_a_csv_without_rows_is_refused(tmp_path):
    with pytest.raises(PromptError, match="no prompts found"):
        read_prompts(write(tmp_path / "set.csv", "name,text\n"))


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_text_is_refused(text):
    error = refused([{"name": "first", "text": "x"}, {"name": "void", "text": text}])
    assert error.what == "prompt 'void' has no text"
    assert error.where == "some.yaml: prompt 2"
    assert "write one or delete the prompt" in error.todo


def test_a_missing_text_is_refused():
    assert refused([{"name": "a"}]).what == "prompt 'a' has no text"


def test_an_unknown_field_is_refused_with_those_that_exist():
    error = refused([{"name": "a", "text": "x", "txt": "y"}])
    assert error.what == "unknown field 'txt'"
    assert error.expected == f"some of {', '.join(FIELDS)}"
    assert "did you mean 'text'?" in error.todo


@pytest.mark.parametrize(("first", "second"), [("same", "same"), ("Same", "sAME")])
def test_names_that_differ_only_in_case_are_refused(first, second):
    error = refused([{"name": first, "text": "x"}, {"name": second, "text": "y"}])
    assert "'same' is used twice" in error.what
    assert "case ignored" in error.expected


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", ".hidden", "-dash", "ä", "x" * 101, "line\n"])
def test_a_name_that_cannot_name_a_file_is_refused(name):
    error = refused([{"name": name, "text": "x"}])
    assert error.what == f"the name {name!r} cannot name a file"
    assert "starting with a letter or digit" in error.expected


@pytest.mark.parametrize("text", [80170451589413662094171256883326, 1.5, True, None, ["x"]])
def test_a_text_that_yaml_reads_as_something_else_must_be_quoted(text):
    error = refused([{"name": "a", "text": text}])
    assert error.what == f"text is {text!r}, not text"
    assert error.todo == "put it in quotes"


def test_a_name_that_is_a_number_must_be_quoted():
    assert refused([{"name": 1, "text": "x"}]).what == "name is 1, not text"


@pytest.mark.parametrize("field", ["kind", "difficulty"])
@pytest.mark.parametrize("word", [" easy", "easy ", "\teasy", "easy\n", "\u00a0easy"])
def test_a_kind_or_difficulty_with_blanks_at_its_ends_is_refused(field, word):
    error = refused([{"name": "a", "text": " x ", field: "easy"}, {"name": "b", "text": "y", field: word}])
    assert error.what == f"{field} {word!r} starts or ends with a blank"
    assert error.where == "some.yaml: prompt 2"


@pytest.mark.parametrize("entry", ["just a text", 3, None, ["a", "b"]])
def test_a_prompt_that_is_not_a_mapping_is_refused(entry):
    error = refused([entry])
    assert error.what == f"found {entry!r}"
    assert error.expected == "a mapping with `name` and `text`"


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_sets_are_complete(path):
    for prompt in read_prompts(path):
        assert all([prompt.kind, prompt.difficulty, prompt.expectation, prompt.reason]), prompt.name
