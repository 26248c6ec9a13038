"""Generated parts of Markdown pages, between two marks.

    <!-- make docs: maker argument … -->…<!-- end -->

The maker returns the text between the marks: a value within a sentence, or a block of lines.
"""

import re
from collections.abc import Callable, Mapping

Makers = Mapping[str, Callable[..., str]]

_PART = re.compile(r"(?P<begin><!-- make docs: (?P<call>[^>\n]+?) -->)(?P<text>.*?)(?P<end><!-- end -->)", re.DOTALL)


def regenerate(page: str, makers: Makers) -> str:
    """The page with every generated part written anew.

    Args:
        page: Markdown.
        makers: name -> function of the mark's arguments (strings). A result that ends with a line break is a block,
            set apart by empty lines; any other stands within its line.

    Raises:
        ValueError: for an unknown maker, wrong arguments, a mark without its end, or a value that begins a line.
    """
    if page.count("<!-- make docs:") != page.count("<!-- end -->"):
        raise ValueError("every <!-- make docs: … --> needs one <!-- end -->")
    return _PART.sub(lambda found: f"{found['begin']}{_made(found, makers)}{found['end']}", page)


def handwritten(page: str) -> str:
    """The page without what is generated."""
    return _PART.sub("", page)


def _made(found: re.Match[str], makers: Makers) -> str:
    name, *arguments = found["call"].split()
    if name not in makers:
        raise ValueError(f"unknown maker {name!r}; there are {', '.join(makers)}")
    try:
        text = makers[name](*arguments)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{found['begin']}: {error}") from error
    if text.endswith("\n"):
        return f"\n\n{text}\n"
    if found.string[: found.start()].endswith("\n"):  # Markdown would take the comment for a block of its own
        raise ValueError(f"{found['begin']} gives a value, so it must not begin a line")
    return text
