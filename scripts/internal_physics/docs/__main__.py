"""Write the generated parts of README and docs anew: `make docs`, or `python -m internal_physics.docs`."""

from pathlib import Path

from internal_physics.docs.marks import regenerate
from internal_physics.docs.pages import makers, pages
from internal_physics.ground.files import write_text


def main(root: Path) -> list[Path]:
    """Rewrite the pages whose generated parts are stale, and return their paths."""
    of_root = makers(root)
    stale = []
    for path in pages(root):
        old = path.read_text(encoding="utf-8")
        new = regenerate(old, of_root)
        if new != old:
            write_text(path, new)
            stale.append(path)
    return stale


if __name__ == "__main__":
    for page in main(Path()):
        print(f"rewritten: {page}")
