"""Training data of the experiment `grammar`."""

from internal_physics.config.options.lab_grammar import GrammarData
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.grammars.build import GRAMMAR_SHAPES, build_grammar
from internal_physics.lab.data.grammars.grammar import Grammar
from internal_physics.lab.data.grammars.read import grammar_named, read_grammar
from internal_physics.lab.data.grammars.training import GrammarBatches


def grammar_of(options: GrammarData) -> Grammar:
    """The grammar of an arm.

    Raises:
        ConfigError: there is no such grammar, shape, file or root.
    """
    root = options.root or None
    if options.grammar.endswith((".yaml", ".yml")):
        return read_grammar(options.grammar, root)
    if options.rules_seed is None:
        return grammar_named(options.grammar, root)
    if options.grammar not in GRAMMAR_SHAPES:
        raise ConfigError(
            f"no shape {options.grammar!r}",
            where="grammar",
            expected=f"one of {', '.join(GRAMMAR_SHAPES)}",
            todo="choose one of these, or leave rules_seed out",
        )
    name = f"{options.grammar}-rules-{options.rules_seed}"
    grammar = build_grammar(GRAMMAR_SHAPES[options.grammar], options.rules_seed, name)
    return grammar if root is None else grammar.rooted_at(root)


def planned_steps(options: GrammarData) -> int:
    """Steps of a training; its strings are drawn later.

    Raises:
        ConfigError: as `batches`.
    """
    return batches(options, seed=0).steps


def batches(options: GrammarData, seed: int) -> GrammarBatches:
    """The training set of an arm.

    Raises:
        ConfigError: there is no such grammar, or rows are too short for it.
    """
    return GrammarBatches(
        grammar_of(options), options.rows_per_step, options.tokens_per_row, options.steps, seed, options.concatenated
    )
