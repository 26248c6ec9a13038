"""Sections of example files: shown on the page, and left out of a repository before their step."""

from pathlib import Path

import pytest
from internal_physics.docs.code import makers, only_section, without_sections
from internal_physics.docs.example import FOLDER, REGISTRY, STEPS

ROOT = Path(__file__).parents[2]
TEXT = """\
one
# >>> extra
two
# <<< extra
call(
    # >>> more
    three,
    # <<< more
    # >>> extra
    four,
    # <<< extra
)
"""


def test_a_file_is_shown_without_its_marks():
    assert without_sections(TEXT) == "one\ntwo\ncall(\n    three,\n    four,\n)\n"


def test_sections_are_left_out():
    assert without_sections(TEXT, ["extra"]) == "one\ncall(\n    three,\n)\n"
    assert without_sections(TEXT, ["extra", "more"]) == "one\ncall(\n)\n"


def test_a_section_is_shown_alone_with_all_its_parts():
    assert only_section(TEXT, "extra") == "two\nfour,\n"
    assert only_section(TEXT, "more") == "three,\n"
    with pytest.raises(ValueError, match="no section 'none'"):
        only_section(TEXT, "none")


@pytest.mark.parametrize("text", ["# >>> a\n", "# <<< a\n", "# >>> a\n# <<< b\n", "# >>> a\n# >>> b\n# <<< a\n"])
def test_unpaired_marks_are_refused(text):
    with pytest.raises(ValueError, match=r"closed|does not fit"):
        without_sections(text)


def test_a_page_shows_whole_files_and_parts(tmp_path):
    (tmp_path / "a.py").write_text(TEXT, encoding="utf-8")
    code = makers(tmp_path)["code"]
    assert code("a.py", "more") == "```python\nthree,\n```\n"
    assert code("a.py", "-extra", "-more") == "```python\none\ncall(\n)\n```\n"


def test_the_steps_of_the_example_name_its_files_and_no_more_than_promised():
    assert {step: len(set(files)) for step, files in STEPS.items()} == {"metric": 4, "figure": 3, "table": 3}
    folder = ROOT / FOLDER
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in (".py", ".yaml")}
    assert there == {name for files in STEPS.values() for name in files} - {REGISTRY}
