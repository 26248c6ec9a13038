"""Characters that the figures' font lacks: written as numbers everywhere in a figure, so that labels stay different."""

import unicodedata
import warnings

import pytest
from figure_texts import visible_texts
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.figures import style
from internal_physics.figures.legible import NOTE, known_characters, legible

SCRIPTS = {
    "Latin": "Größe façade Ωß",
    "Cyrillic": "Ночь",
    "Greek": "Νύχτα",
    "Hebrew": "לילה",
    "Arabic": "ليل",
    "formula": "a ≤ b → ∂x",
}
LACKING = {
    "日本": "⟨65E5 672C⟩",
    "中国": "⟨4E2D 56FD⟩",
    "한국": "⟨D55C AD6D⟩",
    "a 日 b": "a ⟨65E5⟩ b",
    "日 本": "⟨65E5⟩ ⟨672C⟩",
    "हिन्दी": "⟨939 93F 928 94D 926 940⟩",
    "ไทย": "⟨E44 E17 E22⟩",
    "🇯🇵": "⟨1F1EF 1F1F5⟩",
    "🧠": "⟨1F9E0⟩",
    "\U0001f468\u200d\U0001f469": "⟨1F468 200D 1F469⟩",
    "a\u200bb": "a⟨200B⟩b",
    "a\u00a0b": "a⟨A0⟩b",
    "a\x00b": "a⟨00⟩b",
    "a\tb": "a⟨09⟩b",
    "\u202eab": "⟨202E⟩ab",
    "e\u0301": "e⟨301⟩",
}


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
def test_characters_of_the_font_stay(text):
    assert legible(text) == text


@pytest.mark.parametrize(("text", "shown"), LACKING.items(), ids=[ascii(text) for text in LACKING])
def test_characters_that_the_font_lacks_are_written_as_numbers(text, shown):
    assert legible(text) == shown


def test_line_breaks_and_blanks_stay():
    assert legible("two\nlines  and blanks") == "two\nlines  and blanks"


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=12), st.text(max_size=12))
def test_different_texts_stay_apart_and_are_all_drawn(one, other):
    assert legible(legible(one)) == legible(one)
    assert all(ord(c) in known_characters() or c in "\n " for c in legible(one))
    if one != other and not {"⟨", "⟩"} & {*one, *other}:
        assert legible(one) != legible(other)


def test_accents_of_two_kinds_stay_apart():
    composed, apart = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    assert legible(composed) != legible(apart)


def figure_of(names):
    """A figure with names in every place that a figure has."""
    with style.house_style():
        figure = style.new_figure(5, 3)
        left, right = figure.subplots(1, 2)
        for name in names:
            left.plot([0, 1], [0, 1], label=style.literal(name))
        left.legend(title=names[0])
        left.set(xlabel=names[0], ylabel=names[1], title=names[0])
        left.text(0.5, 0.5, names[1])
        right.set_xticks(range(len(names)), labels=names)
        right.set_yticks(range(len(names)))
        right.set_yticklabels(names)
        return style.finish(figure, f"Title of {names[0]}", [f"Note on {names[1]}"])


def test_every_text_of_a_figure_can_be_read(tmp_path):
    figure = figure_of(["日本", "中国", "plain"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a glyph that is missing
        style.save(figure, [tmp_path / "x.png", tmp_path / "x.svg"])
    texts = [text.get_text() for text, _ in visible_texts(figure)]
    assert not [text for text in texts if "日本" in text or "中国" in text]
    assert sum("⟨65E5 672C⟩" in text.replace("\n", " ") for text in texts) == 7  # as often as it was drawn
    assert sum("⟨4E2D 56FD⟩" in text.replace("\n", " ") for text in texts) == 6
    assert NOTE in style.notes_of(figure)


def test_ticks_keep_their_places(tmp_path):
    figure = figure_of(["日本", "中国", "plain"])
    style.save(figure, [tmp_path / "x.png"])
    ax = figure.axes[1]
    shown = {round(t.get_position()[0]): t.get_text() for t in ax.get_xticklabels()}
    assert shown == {0: "⟨65E5 672C⟩", 1: "⟨4E2D 56FD⟩", 2: "plain"}


def test_a_figure_without_replaced_characters_has_no_note_about_them():
    assert NOTE not in style.notes_of(figure_of(["Größe", "Ночь", "plain"]))
