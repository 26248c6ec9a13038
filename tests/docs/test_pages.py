"""README and docs: generated parts are up to date, links and images exist, the site builds and loads nothing else."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from internal_physics.docs.marks import handwritten, regenerate
from internal_physics.docs.pages import makers, pages
from internal_physics.families.registry import FAMILIES

ROOT = Path(__file__).parents[2]
README, CONTRIBUTING, DOCS = ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs"
PAGES = pages(ROOT)
MAX_README_LINES, MAX_IMAGE_BYTES = 120, 150_000
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
# A measured or counted number: digits and what they count. Definitions and mathematics have none of these units.
COUNTED = re.compile(
    r"(?<![\w.\-])\d[\d.,]*\s*(?:s|ms|min|minutes|seconds|hours|h|[kMGT]?B|GPU hours|×|times|%|prompts|jobs|figures|"
    r"tables|tests|models|metrics|rules|records|rows|sets|steps)(?![\w/])"
)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.fixture(scope="module")
def of_repository():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # the default config names its prompt files from there
        yield makers(ROOT)


@every_page
def test_generated_parts_are_fresh(page, of_repository):
    text = page.read_text(encoding="utf-8")
    assert regenerate(text, of_repository) == text, "run `make docs`"


def prose(text):
    """A page without generated parts, code and comments."""
    text = re.sub(r"^```.*?^```", "", handwritten(text), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`|<!--.*?-->", "", text, flags=re.DOTALL)


@every_page
def test_no_number_that_can_age_is_written_by_hand(page):
    if page.name == "CHANGELOG.md":  # a history: its numbers were true at their time
        return
    assert [found[0] for found in COUNTED.finditer(prose(page.read_text(encoding="utf-8")))] == []


def test_the_rule_about_numbers_finds_them():
    aged = "about 7 minutes and 2 GB, 90 figures, 1.9× faster, 95 %, in 12 min"
    assert len(COUNTED.findall(aged)) == 6
    assert COUNTED.findall("l = 0..L, at 1e-8, Python 3.11, 2-D, 4-bit, p < 0.1, interval over 0.3 of 1") == []


def test_the_readme_is_short_and_shows_a_figure():
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_README_LINES
    assert len(IMAGE.findall(text)) == 1


@every_page
def test_images_exist_and_are_small_and_described(page):
    for description, target in IMAGE.findall(page.read_text(encoding="utf-8")):
        image = page.parent / target
        assert image.stat().st_size < MAX_IMAGE_BYTES, target
        assert len(description.split()) >= 10, f"{target}: say in words what it shows"


def test_every_family_has_a_page_that_shows_all_of_it():
    for family in FAMILIES:
        text = (DOCS / "families" / f"{family.name}.md").read_text(encoding="utf-8")
        for heading in ("Definition", "How to read it", "Source", "Options", "Tables", "Figures"):
            assert f"\n## {heading}\n" in text, (family.name, heading)
        for part in ("notes", "tables", "figures"):
            assert f"<!-- make docs: family-{part} {family.name} -->" in text, (family.name, part)


def nav_files(entries):
    for entry in entries:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else nav_files(value)


def test_the_site_leads_to_every_page():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert sorted(nav_files(nav)) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def build(folder):
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the sources of the site."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy2(ROOT / "mkdocs.yml", folder)
    shutil.copytree(DOCS, folder / "docs")
    return folder


def test_the_site_builds_and_loads_nothing_from_elsewhere(copy):
    done = build(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = re.compile(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
    for page in (copy / "site").rglob("*.html"):
        assert loaded.findall(page.read_text(encoding="utf-8")) == [], page.name
    for style in (copy / "site").rglob("*.css"):
        assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")) == []


def test_a_broken_link_stops_the_site(copy, tmp_path):
    shutil.copytree(copy, tmp_path / "broken")
    page = tmp_path / "broken" / "docs" / "concepts.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[nowhere](nowhere.md)\n", encoding="utf-8")
    done = build(tmp_path / "broken")
    assert done.returncode != 0
    assert "nowhere.md" in re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr)


def test_the_readme_leads_to_every_page():
    linked = set(re.findall(r"\]\(docs/([^)#]+\.md)\)", README.read_text(encoding="utf-8")))
    assert linked == {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}


class TestTablesOfAFamily:
    @pytest.fixture
    def page(self, of_repository):
        return of_repository["family-tables"]("gradient_flow")

    def test_what_one_row_is(self, page):
        assert "One row per `model`, `condition`, `prompt_set` and `rank`. Made with `isf`." in page

    def test_unit_range_and_meaning_of_a_column(self, page):
        assert "| `eigenvalue` | float64 | (nats / residual unit)^2 | ≥ 0 | of the covariance of" in page

    def test_ranges_with_two_ends_and_allowed_texts(self, of_repository):
        assert "| -1 to 1 |" in of_repository["family-tables"]("scores")
        assert "| `whole`, `last_position`, `excluding_first` |" in of_repository["family-tables"]("residual_gain")


def test_figures_of_a_family_are_described_without_placeholders(of_repository):
    for family in FAMILIES:
        text = of_repository["family-figures"](family.name)
        assert "{{" not in text
        assert text.count("### Figure") == len(family.figures)


def test_the_order_of_imports_is_the_one_that_is_tested():
    order = runpy.run_path(str(ROOT / "tests" / "ground" / "test_import_order.py"))["ORDER"]
    (told,) = re.findall(r"Imports run one way, in this order: (.*?)\. No folder", CONTRIBUTING.read_text(), re.DOTALL)
    assert re.findall(r"`(\w+)`", told) == list(order)
