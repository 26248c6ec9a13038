"""The names of `internal_physics.lab.data`, and where each is at home. Each is loaded when it is first used."""

import importlib

_DATA = "internal_physics.lab.data"
_GRAMMARS = f"{_DATA}.grammars"
_REASONING = f"{_DATA}.reasoning"
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
    "ATTRIBUTES": f"{_DATA}.pools",
    "Augmentation": "internal_physics.config.options.lab_biographies",
    "BioD": f"{_DATA}.bio_d",
    "BioDSizes": "internal_physics.config.options.lab_bio_d",
    "Language": f"{_DATA}.symbolic",
    "People": f"{_DATA}.people",
    "Pools": f"{_DATA}.pools",
    "Writer": f"{_DATA}.texts",
    "draw_bio_d": f"{_DATA}.bio_d",
    "draw_people": f"{_DATA}.people",
    "natural_pools": f"{_DATA}.pools",
    "plan_biographies": f"{_DATA}.biographies",
    "symbolic_pools": f"{_DATA}.pools",
    "write_bio_d": f"{_DATA}.files",
    "write_biographies": f"{_DATA}.files",
    "write_people": f"{_DATA}.files",
    "write_questions": f"{_DATA}.files",
    "Vocabulary": f"{_DATA}.vocabulary",
    "ERROR_KINDS": f"{_REASONING}.check",
    "HARD": f"{_REASONING}.sizes",
    "MEDIUM": f"{_REASONING}.sizes",
    "Problem": f"{_REASONING}.problem",
    "ProblemSet": f"{_REASONING}.files",
    "RETRY_KINDS": f"{_REASONING}.retry",
    "ReasoningSizes": f"{_REASONING}.sizes",
    "Solution": f"{_REASONING}.problem",
    "TEST_BINS": f"{_REASONING}.templates",
    "TRAINING_BINS": f"{_REASONING}.templates",
    "Solved": "internal_physics.lab.figures.problem_graph",
    "draw_problem": "internal_physics.lab.figures.problem_graph",
    "ask_again": f"{_REASONING}.word_problem",
    "check": f"{_REASONING}.check",
    "draw_word_problem": f"{_REASONING}.word_problem",
    "labels_of": f"{_REASONING}.labels",
    "read_solution": f"{_REASONING}.read",
    "with_retries": f"{_REASONING}.retry",
    "write_problems": f"{_REASONING}.files",
}


def named(name: str) -> object:
    """The object of a public name.

    Raises:
        AttributeError: there is none; the message lists those that there are.
    """
    if name not in HOMES:
        raise AttributeError(f"internal_physics.lab.data has no {name!r}; it has {', '.join(sorted(HOMES))}")
    return getattr(importlib.import_module(HOMES[name]), name)
