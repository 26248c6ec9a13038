"""Text for a terminal: bars, tables in 80 columns, ASCII, colours; and JSON without NaN."""

import io
import json
import math

import pytest
from internal_physics.cli.answer import Answer, strict, style_of, write
from internal_physics.cli.layout import (
    Bar,
    Column,
    Grid,
    Heading,
    Style,
    Text,
    bar,
    columns_of,
    cut,
    log_shares,
    number,
    percent,
    quoted,
    render,
    shares,
)

PLAIN, ASCII = Style(), Style(unicode=False)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("share", "text"), [(0, ""), (0.5, "████"), (1 / 64, "▏"), (63 / 64, "███████▉"), (1, "████████"), (math.nan, "")]
)
def test_a_bar_has_steps_of_an_eighth(share, text):
    assert bar(share, PLAIN) == text.ljust(8)


def test_a_bar_in_ascii_has_whole_columns():
    assert [bar(share, ASCII, 4) for share in (0, 0.5, 1)] == ["    ", "##  ", "####"]


def test_shares_are_of_the_largest_finite_value():
    assert shares([1, 2, 4, math.inf, -1]) == [0.25, 0.5, 1.0, 1.0, 0.0]
    assert math.isnan(shares([math.nan, 1])[0])
    assert shares([0.0, 0.0]) == [0.0, 0.0]


def test_logarithmic_shares_span_smallest_to_largest():
    low, middle, high, none = log_shares([0.01, 0.1, 1, 0])
    assert (low, high) == (1 / 64, 1)
    assert middle == pytest.approx((low + high) / 2)  # exact up to rounding
    assert math.isnan(none)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1.00"),
        (-0.0123, "-0.0123"),
        (123456.0, "123456"),
        (1e7, "1.00e+07"),
        (9.8e-14, "9.80e-14"),
        (math.nan, "-"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_have_three_significant_digits(value, text):
    assert number(value) == text


def test_small_shares_are_not_shown_as_nothing():
    assert [percent(share) for share in (0, 1e-9, 0.123, 1, math.nan)] == ["0.0 %", "<0.1 %", "12.3 %", "100.0 %", "-"]


def test_tokens_show_blanks_and_escape_what_a_terminal_would_obey():
    assert quoted(' a"\n\x1b[1m\\') == '" a\\"\\n\\x1b[1m\\\\"'


def test_wide_and_combining_characters_take_their_columns():
    assert [columns_of(text) for text in ("abc", "東京", "e\u0301", "")] == [3, 4, 1, 0]
    assert cut("東京都", 5, PLAIN) == "東京…"
    assert cut("abc", 2, ASCII) == "a~"


def test_a_table_is_cut_to_the_line_where_it_may_be():
    columns = [Column("n", right=True), Column("name", shrinks=True), Column("x")]
    lines = render([Grid(columns, [["1", "a" * 200, Bar(0.5)], ["10", "東" * 60, Bar(math.nan)]])], PLAIN).splitlines()
    assert [columns_of(line) for line in lines] == [74 - 1, 76, 70 - 1] or max(map(columns_of, lines)) <= 80
    assert lines[1].startswith(" 1  aaa")
    assert lines[2].startswith("10  東")
    assert lines[1].endswith("…  ████")


def test_paragraphs_are_wrapped_and_a_heading_has_a_line_above_it():
    text = render([Heading("One"), Text("word " * 30, hanging=2), Heading("Two", "r" * 78)], PLAIN)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].startswith("  word")
    assert lines[-3:] == ["", "Two", "r" * 78]


def test_ascii_has_a_sign_for_every_other():
    assert render([Text("‖W‖ → “é” −1")], ASCII) == '|W| -> "\\xe9" -1\n'


def test_colours_are_only_for_terminals_that_want_them():
    assert style_of(Terminal(), {}) == Style(unicode=True, color=True)
    assert style_of(Terminal(), {"NO_COLOR": "1"}).color is False
    assert style_of(Terminal(), {"TERM": "dumb"}).color is False
    assert style_of(io.StringIO(), {}).color is False
    colored = render([Heading("One")], Style(color=True))
    assert colored == "\x1b[1mOne\x1b[0m\n"
    assert render([Heading("One")], PLAIN) == "One\n"


def test_a_stream_that_cannot_write_blocks_gets_ascii():
    for encoding in ("ascii", "latin-1", "no such encoding"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        stand_in = type("Stream", (), {"encoding": encoding, "isatty": stream.isatty})()
        assert style_of(stand_in, {}).unicode is False


def test_json_has_null_with_a_status_for_what_is_not_finite():
    row = {"value": math.nan, "status": "ok", "list": [1.5, -math.inf]}
    assert strict({"rows": [row]}) == {
        "rows": [{"value": None, "status": "value is not a number", "list": [1.5, None]}]
    }
    assert strict({"gain": math.inf}) == {"gain": None, "status": "gain is infinite"}
    assert strict({"gain": math.inf, "status": "said"}) == {"gain": None, "status": "said"}


def test_json_is_strict_and_keeps_letters():
    out = io.StringIO()
    write(Answer({"token": "é", "value": math.nan}, []), out, as_json=True)
    assert json.loads(out.getvalue(), parse_constant=pytest.fail) == {
        "token": "é",
        "value": None,
        "status": "value is not a number",
    }
    assert "é" in out.getvalue()
