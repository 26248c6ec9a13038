"""Code blocks of Markdown pages, each with the comment above it that says how it is tested.

<!-- test: dry run, because it downloads a model -->
<!-- test: not run, because it needs a cluster -->
"""

import re
from dataclasses import dataclass
from pathlib import Path

from internal_physics.docs.marks import handwritten
from internal_physics.docs.pages import pages

ROOT = Path(__file__).parents[2]
RUN, DRY_RUN, NOT_RUN = "run", "dry run", "not run"
_BLOCK = re.compile(
    r"(?:<!-- test: (?P<note>[^\n]*?) -->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_NOTE = re.compile(rf"({DRY_RUN}|{NOT_RUN}), because \w.{{8,}}")


@dataclass(frozen=True)
class Snippet:
    """One code block; `how` is RUN, DRY_RUN or NOT_RUN."""

    page: Path
    number: int
    language: str
    text: str
    how: str

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(ROOT)}-{self.number}"

    def commands(self) -> list[str]:
        """Its lines without comments and empty ones."""
        lines = [re.sub(r"(^|\s)#\s.*$", "", line).strip() for line in self.text.splitlines()]
        return [line for line in lines if line]


def read_snippets(page: Path) -> list[Snippet]:
    """All code blocks of a page that are written by hand.

    Raises:
        ValueError: for a comment on a test that is not understood or gives no reason.
    """
    found = []
    text = handwritten(page.read_text(encoding="utf-8"))  # generated blocks show files, which have tests of their own
    for number, block in enumerate(_BLOCK.finditer(text), 1):
        note = block["note"]
        if note is not None and not _NOTE.fullmatch(note):
            raise ValueError(f"{page}: {note!r} is no note on a test")
        how = note.split(",")[0] if note else RUN
        found.append(Snippet(page, number, block["language"], block["text"], how))
    return found


SNIPPETS = [snippet for page in pages(ROOT) for snippet in read_snippets(page)]


def in_language(*languages: str) -> list[Snippet]:
    """All code blocks in these languages."""
    return [snippet for snippet in SNIPPETS if snippet.language in languages]
