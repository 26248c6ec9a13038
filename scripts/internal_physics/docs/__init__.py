"""The generated schema of the config, and generated parts of README and docs: `make docs` writes, a test compares."""
