"""The names of `internal_physics.lab.data`, and where each is at home. Each is loaded when it is first used."""

import importlib

_GRAMMARS = "internal_physics.lab.data.grammars"
HOMES = {
    "Grammar": f"{_GRAMMARS}.grammar",
    "GrammarBatches": f"{_GRAMMARS}.training",
    "GRAMMAR_SHAPES": f"{_GRAMMARS}.build",
    "GrammarShape": f"{_GRAMMARS}.build",
    "build_grammar": f"{_GRAMMARS}.build",
    "grammar_facts": f"{_GRAMMARS}.laws",
    "grammar_named": f"{_GRAMMARS}.read",
    "grammar_names": f"{_GRAMMARS}.read",
    "read_grammar": f"{_GRAMMARS}.read",
    "sample_forest": f"{_GRAMMARS}.forest",
    "sample_string": f"{_GRAMMARS}.depth_first",
    "are_strings": f"{_GRAMMARS}.exact",
    "log_probabilities_nats": f"{_GRAMMARS}.exact",
    "numbers_of_derivations": f"{_GRAMMARS}.exact",
    "prefixes": f"{_GRAMMARS}.exact",
    "write_strings": f"{_GRAMMARS}.strings",
    "Vocabulary": "internal_physics.lab.data.vocabulary",
}


def named(name: str) -> object:
    """The object of a public name.

    Raises:
        AttributeError: there is none; the message lists those that there are.
    """
    if name not in HOMES:
        raise AttributeError(f"internal_physics.lab.data has no {name!r}; it has {', '.join(sorted(HOMES))}")
    return getattr(importlib.import_module(HOMES[name]), name)
