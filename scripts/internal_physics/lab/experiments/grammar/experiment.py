"""The description of the experiment `grammar`."""

from internal_physics.config.options.lab_grammar import GrammarData, GrammarMeasures
from internal_physics.lab.experiments.experiment import ARM_KEY, OF_ARM, STEP, Experiment, LabFigure
from internal_physics.tables.columns import STATUS, TEXT, Column
from internal_physics.tables.table import Table

_ROOM = "internal_physics.lab.experiments.grammar"

LAB_GRAMMAR = Table(
    "lab_grammar",
    columns=OF_ARM
    | {
        "step": STEP,
        "cut": Column("int64", "tokens", "how many tokens of a fresh string were given", low=0),
        "n_generated": Column("int64", "strings", "strings that the model finished", low=0),
        "accuracy": Column(
            "float64", "1", "share of them that are strings of the grammar from first to last token", low=0, high=1
        ),
        "n_distinct": Column("Int64", "strings", "different strings among them", low=0),
        "n_distinct_grammar": Column("Int64", "strings", "the same among as many strings of the grammar", low=0),
        "entropy_nats": Column(
            "float64", "nats", "mean of −ln of the model's probability of all that it added to a string", low=0
        ),
        "grammar_entropy_nats": Column(
            "float64", "nats", "the same of the grammar, over the strings whose beginnings were given", low=0
        ),
        "kl_nats": Column(
            "float64",
            "nats per token",
            "mean over prefixes of at least `cut` tokens of KL(grammar ‖ model) of the next token",
            low=0,
        ),
        "status": STATUS,
    },
    key=[*ARM_KEY, "step", "cut"],
    finite=("accuracy", "entropy_nats", "grammar_entropy_nats", "kl_nats"),
    group=ARM_KEY,
)

LAB_GRAMMAR_PROBES = Table(
    "lab_grammar_probes",
    columns=OF_ARM
    | {
        "weights": Column(
            TEXT, "", "of the trained model, or first weights of other draws", allowed=("trained", "random")
        ),
        "residual": Column("int64", "residual", "what the probe reads: residual l, 0 for the embedding", low=0),
        "level": Column(TEXT, "", "level of the tree, as NT6; a larger number is nearer to the tokens"),
        "target": Column(
            TEXT,
            "",
            "symbol: which symbol of the level stands above the last token of its subtree; "
            "boundary: whether a token is the last of its subtree",
            allowed=("symbol", "boundary"),
        ),
        "accuracy": Column(
            "float64",
            "1",
            "share of tokens of other strings that the probe tells right; of random weights: mean over models",
            low=0,
            high=1,
        ),
        "n_draws": Column("int64", "models", "how many were probed; 1 where they are trained", low=1),
        "accuracy_std": Column(
            "float64", "1", "sample standard deviation of the accuracy over these models; missing for one", low=0
        ),
        "majority": Column("float64", "1", "share of the class that is commonest in the fitted strings", low=0, high=1),
        "n_tokens": Column("int64", "tokens", "tokens that were judged", low=0),
        "status": STATUS,
    },
    key=[*ARM_KEY, "weights", "residual", "level", "target"],
    finite=("accuracy", "majority"),
    group=ARM_KEY,
)

LAB_GRAMMAR_ATTENTION = Table(
    "lab_grammar_attention",
    columns=OF_ARM
    | {
        "block": Column("int64", "block", "of the model, from 0", low=0),
        "level": Column(TEXT, "", "level of the tree, as NT6"),
        "pairs": Column(
            TEXT,
            "",
            "to_end: the token that is read, moved by `offset`, is the last of its subtree; between_ends: both tokens "
            "are last at this level and at no level above, and the subtree of the reading one is `offset` later",
            allowed=("to_end", "between_ends"),
        ),
        "offset": Column("int64", "tokens or subtrees", "see `pairs`"),
        "excess_attention": Column(
            "float64",
            "1",
            "mean over heads and pairs of attention minus its mean over all strings at the same two places",
            low=-1,
            high=1,
        ),
        "n_pairs": Column("int64", "pairs", "pairs of tokens that it is a mean of", low=0),
        "status": STATUS,
    },
    key=[*ARM_KEY, "block", "level", "pairs", "offset"],
    finite=("excess_attention",),
    group=ARM_KEY,
)

EXPERIMENT = Experiment(
    name="grammar",
    title="Strings of a grammar",
    data_options=GrammarData,
    measure_options=GrammarMeasures,
    data=f"{_ROOM}.data",
    plans=f"{_ROOM}.data",
    measures_masked=True,
    measures=f"{_ROOM}.measures",
    gates=f"{_ROOM}.gates",
    kernels=f"{_ROOM}.kernels",
    tables=(LAB_GRAMMAR, LAB_GRAMMAR_PROBES, LAB_GRAMMAR_ATTENTION),
    figures=(
        LabFigure("lab_grammar_learning", f"{_ROOM}.figures.lab_grammar_learning", ("lab_grammar",)),
        LabFigure("lab_grammar_probes", f"{_ROOM}.figures.lab_grammar_probes", ("lab_grammar_probes",)),
        LabFigure("lab_grammar_attention", f"{_ROOM}.figures.lab_grammar_attention", ("lab_grammar_attention",)),
    ),
)
