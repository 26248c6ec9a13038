"""Values of the column `followed`, in a module of its own: code that reads a model imports no table."""

FOLLOWED = (ANSWER, OWN_TOKEN) = ("answer", "own token")
