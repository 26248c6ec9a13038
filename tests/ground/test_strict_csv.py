"""Strict CSV: every row is read as written, or the file is refused with the line of what is wrong."""

import csv

import pytest
from internal_physics.ground.errors import ConfigError, PromptError
from internal_physics.ground.strict_csv import read_csv

COLUMNS = ("name", "text")
BOM = b"\xef\xbb\xbf"


def read(folder, content, **options):
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(path, COLUMNS, where="t.csv", **options)


def refused(folder, content, **options):
    with pytest.raises(ConfigError) as error:
        read(folder, content, **options)
    return error.value


def cells(rows):
    return [row.cells for row in rows]


ONE = [{"name": "a", "text": "x, y"}]
RIGHT = {
    "plain": ('name,text\na,"x, y"\n', ONE),
    "no line end at the end": ('name,text\na,"x, y"', ONE),
    "Windows line ends": ('name,text\r\na,"x, y"\r\n', ONE),
    "line ends of an old Mac": ('name,text\ra,"x, y"\r', ONE),
    "byte-order mark": (BOM + b'name,text\na,"x, y"\n', ONE),
    "byte-order mark and quoted header": (BOM + b'"name","text"\r\n"a","x, y"\r\n', ONE),
    "empty lines": ('\nname,text\n\na,"x, y"\n\n\n', ONE),
    "rows of nothing but commas": ('name,text\na,"x, y"\n,\n , \n', ONE),
    "columns without a name": ('name,text,,\na,"x, y",,\n', ONE),
    "line break in a text": ('name,text\na,"x\ny"\n', [{"name": "a", "text": "x\ny"}]),
    "Windows line break in a text": ('name,text\r\na,"x\r\ny"\r\n', [{"name": "a", "text": "x\r\ny"}]),
    "quote in a text": ('name,text\na,"say ""hi"", then"\n', [{"name": "a", "text": 'say "hi", then'}]),
    "quote inside an unquoted text": ('name,text\na,5" pipe\n', [{"name": "a", "text": '5" pipe'}]),
    "quoted text that starts with blank and quote": ('name,text\na," ""hi"""\n', [{"name": "a", "text": ' "hi"'}]),
    "blanks around a text": ("name,text\na,  x \n", [{"name": "a", "text": "  x "}]),
    "what other readers take for missing or numbers": (
        "name,text\nnan,null\n1e3,TRUE\n007,NA\n",
        [{"name": "nan", "text": "null"}, {"name": "1e3", "text": "TRUE"}, {"name": "007", "text": "NA"}],
    ),
    "separators of Unicode in a text": (
        "name,text\na,x\u2028y\x0bz\x85\n",
        [{"name": "a", "text": "x\u2028y\x0bz\x85"}],
    ),
}


@pytest.mark.parametrize(("content", "expected"), RIGHT.values(), ids=RIGHT)
def test_rows_are_read_as_written(tmp_path, content, expected):
    assert cells(read(tmp_path, content)) == expected


def test_rows_know_their_lines(tmp_path):
    rows = read(tmp_path, 'name,text\na,x\n\nb,"y\nz"\nc,w\n')
    assert [(row.line, row.last_line) for row in rows] == [(2, 2), (4, 5), (6, 6)]


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "name,text\n", "name,text"])
def test_no_rows(tmp_path, content):
    assert read(tmp_path, content) == []


@pytest.mark.parametrize("n_characters", [131_072, 131_073, 1_000_000])
def test_a_cell_of_any_length(tmp_path, n_characters):
    limit = csv.field_size_limit()
    text = "w" * n_characters
    assert cells(read(tmp_path, f"name,text\na,{text}\nb,x\n")) == [
        {"name": "a", "text": text},
        {"name": "b", "text": "x"},
    ]
    assert csv.field_size_limit() == limit, "the limit is one for the whole process, and others may rely on it"


WRONG = {
    "quote never closed": ('name,text\na,"x\nb,y\nc,z\n', "line 2", "a double quote is opened and never closed"),
    "quote never closed in the last row": ('name,text\na,x\nb,"y\n', "line 3", "opened and never closed"),
    "quote closed by the next row's": ('name,text\na,"x\nb,"y"\n', "line 2", "after a closing double quote, in line 3"),
    "text after a quote": ('name,text\na,"x" y\n', "line 2", "after a closing double quote, in line 2"),
    "quote that is not doubled": ('name,text\na,x\nb,"say "hi""\n', "line 3", "after a closing double quote"),
    "quote in the header": ('name,"text\na,x\n', "line 1", "opened and never closed"),
    "blank before a quote": ('name,text\na, "x"\n', "line 2", "there is a blank before a double quote"),
    "tab before a quote": ('name,text\na,x\nb,\t"y"\n', "line 3", "there is a blank before a double quote"),
    "more cells": ("name,text\na,x\nb,y, z\n", "line 3", "more cells than the header: 3"),
    "fewer cells": ("name,text\na,x\n\nb\n", "line 4", "fewer cells than the header: 1"),
    "fewer cells of many": ("name,text,kind\na,x\n", "line 2", "fewer cells than the header: 2"),
    "text in a column without a name": ("name,text,\na,x,y\n", "line 2", "'y' is in a column without a name"),
    "column twice": ("name,text,text\na,x,y\n", "line 1", "the column 'text' is given twice"),
    "column missing": ("name,kind\na,x\n", "line 1", "there is no column 'text'"),
    "no header": ("a,x\nb,y\n", "line 1", "there is no column 'name'"),
    "blank in the header": ("name, text\na,x\n", "line 1", "there is no column 'text'"),
    "semicolons": ("name;text\na;x\n", "line 1", "its columns are separated by semicolons"),
    "quoted and semicolons": ('"name";"text"\n"a";"x"\n', "line 1", "separated by semicolons"),
    "semicolons and a comma in the header": ("name;text;a,b\na;x;y\n", "line 1", "separated by semicolons"),
    "semicolons after empty lines": ("\r\n\nname;text\na;x\n", "line 3", "separated by semicolons"),
    "tabs": ("name\ttext\na\tx\n", "line 1", "its columns are separated by tabs"),
    "bars": ("name|text\na|x\n", "line 1", "its columns are separated by '|'"),
    "separator named": ("sep=,\nname,text\na,x\n", "line 1", "the first line names the separator"),
    "NUL": ("name,text\na,x\nb,\0y\n", "", "a NUL character in line 3"),
    "UTF-16": ("name,text\na,x\n".encode("utf-16"), "", "its text is UTF-16"),
    "Latin-1": ("name,text\na,Käse\n".encode("latin-1"), "", "not UTF-8 text"),
    "spreadsheet": (b"PK\x03\x04\x14\x00", "", "it is a zip archive (an .xlsx or .ods spreadsheet is one), not text"),
}


@pytest.mark.parametrize(("content", "line", "what"), WRONG.values(), ids=WRONG)
def test_input_that_can_be_misread_is_refused_with_its_line(tmp_path, content, line, what):
    error = refused(tmp_path, content)
    assert what in error.what
    assert error.where == (f"t.csv: {line}" if line else "t.csv")
    assert error.todo or error.expected


def test_an_unknown_column_is_refused_even_where_it_is_empty(tmp_path):
    error = refused(tmp_path, "name,text,Kind\na,x,\n", known=(*COLUMNS, "kind"))
    assert (error.what, error.where) == ("unknown column 'Kind'", "t.csv: line 1")
    assert (error.expected, error.todo) == ("some of name, text, kind", "did you mean 'kind'?")


def test_a_misspelt_column_is_reported_before_the_missing_one(tmp_path):
    error = refused(tmp_path, "name,txt\na,x\n", known=COLUMNS)
    assert (error.what, error.todo) == ("unknown column 'txt'", "did you mean 'text'?")


def test_all_columns_are_kept_if_none_are_required(tmp_path):
    assert cells(read(tmp_path, "name,text,note\na,x,y\n")) == [{"name": "a", "text": "x", "note": "y"}]


def test_the_caller_chooses_the_kind_of_error(tmp_path):
    with pytest.raises(PromptError):
        read(tmp_path, "name\n", error=PromptError)
