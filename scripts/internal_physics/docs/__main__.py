"""`make docs`: write the schema of the config and the generated parts of README and docs."""

from pathlib import Path

from internal_physics.docs.config_sections import config_section
from internal_physics.docs.marks import regenerate
from internal_physics.docs.pages import makers, pages
from internal_physics.docs.schema import SCHEMA, config_schema, schema_text
from internal_physics.ground.files import write_text


def main(root: Path) -> list[Path]:
    """Rewrite the generated files and the pages whose generated parts are stale, and return their paths."""
    schema = schema_text(config_schema(config_section()))  # first: the pages count what is in the default config
    stale = _rewrite(root / SCHEMA, schema)
    of_root = makers(root)
    for path in pages(root):
        stale += _rewrite(path, regenerate(path.read_text(encoding="utf-8"), of_root))
    return stale


def _rewrite(path: Path, text: str) -> list[Path]:
    """Write a file if its text differs, and return its path in that case."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return []
    write_text(path, text)
    return [path]


if __name__ == "__main__":
    for page in main(Path()):
        print(f"rewritten: {page}")
