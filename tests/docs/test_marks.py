"""Generated parts of pages: the text between the marks, and invalid marks."""

import pytest
from internal_physics.docs.markdown import table
from internal_physics.docs.marks import handwritten, regenerate
from internal_physics.docs.measured import duration, size, value

MAKERS = {"answer": lambda: "42", "rows": lambda *names: table(["name"], [[n] for n in names])}


def test_a_value_is_written_within_its_sentence():
    page = "It is <!-- make docs: answer -->old<!-- end -->, they say.\n"
    assert regenerate(page, MAKERS) == "It is <!-- make docs: answer -->42<!-- end -->, they say.\n"


def test_a_block_is_set_apart_and_takes_its_arguments():
    page = "<!-- make docs: rows a b --><!-- end -->\n"
    expected = "<!-- make docs: rows a b -->\n\n| name |\n| --- |\n| a |\n| b |\n\n<!-- end -->\n"
    assert regenerate(page, MAKERS) == expected
    assert regenerate(expected, MAKERS) == expected


def test_text_outside_the_marks_is_not_changed():
    page = "One.\n\n<!-- a comment -->\n\nTwo <!-- make docs: answer -->1<!-- end --> three.\n"
    assert handwritten(page) == "One.\n\n<!-- a comment -->\n\nTwo  three.\n"
    assert handwritten(regenerate(page, MAKERS)) == handwritten(page)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("A <!-- make docs: nobody --><!-- end -->", "unknown maker 'nobody'"),
        ("A <!-- make docs: answer 1 --><!-- end -->", "answer 1"),
        ("A <!-- make docs: answer -->", "needs one <!-- end -->"),
        ("A\n<!-- make docs: answer --><!-- end -->", "must not begin a line"),
    ],
)
def test_a_mark_that_cannot_be_filled_is_refused(page, said):
    with pytest.raises(ValueError, match=said):
        regenerate(page, MAKERS)


def test_a_table_escapes_bars_and_refuses_ragged_rows():
    assert table(["a", "b"], [["x|y", "one\ntwo"], [1, None]]).splitlines()[2:] == ["| x\\|y | one two |", "| 1 |  |"]
    with pytest.raises(ValueError, match="a row of 1 cells under a head of 2"):
        table(["a", "b"], [["x"]])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.23, "4.2 s"), (9.99, "10.0 s"), (48.2, "48 s"), (60, "1 min"), (489, "8 min 9 s"), (7530, "2 h 5 min")],
)
def test_durations_read_as_people_write_them(seconds, text):
    assert duration(seconds).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(12, "12 B"), (999, "999 B"), (1500, "1.5 kB"), (33_400_000, "33 MB"), (1.72e9, "1.7 GB")]
)
def test_sizes_are_in_decimal_units(n_bytes, text):
    assert size(n_bytes).replace("\u00a0", " ") == text


def test_a_measured_value_is_written_as_the_end_of_its_name_says():
    facts = {"run": {"wall_seconds": 489, "results_bytes": 2e6, "jobs": 1360, "date": "2026-11-25"}}
    found = [value(facts, f"run.{name}").replace("\u00a0", " ") for name in facts["run"]]
    assert found == ["8 min 9 s", "2.0 MB", "1,360", "2026-11-25"]
    with pytest.raises(KeyError, match=r"run\.nothing"):
        value(facts, "run.nothing")
