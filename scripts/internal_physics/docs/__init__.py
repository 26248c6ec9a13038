"""Generated parts of README and docs: `make docs` writes them, a test compares."""
