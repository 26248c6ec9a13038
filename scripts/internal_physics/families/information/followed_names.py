"""Whose way through depth is told: the words of the column `followed`. What reads a model imports no table."""

FOLLOWED = (ANSWER, OWN_TOKEN) = ("answer", "own token")
