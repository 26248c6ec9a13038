"""The command line: `internal-physics look MODEL "prompt"`, `internal-physics run my.yaml` and others."""

import sys

from internal_physics.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
