"""Rule prompts_read: footers of the records of one model → each prompt as that model read it."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from internal_physics.families.run.tokens import read_spelling, readable
from internal_physics.models.coverage import COVERAGE
from internal_physics.models.options import PRECISION, QUANTIZED_SHARE
from internal_physics.records.store import read_trace


def prompts_read(records: Iterable[str | Path], snapshot: str | Path) -> pd.DataFrame:
    """One row for each record, in their order.

    Args:
        records: of one model, in the baseline.
        snapshot: of the model, for how its tokenizer spells tokens.

    Returns:
        Columns model, prompt_set, prompt, text, n_tokens, tokens, target, target_token, and of the model n_blocks,
        width, the number formats in which it ran and which of its weights have recorded gradients.

    Raises:
        StoreError: for a record that is missing or damaged.
    """
    spelling = read_spelling(snapshot)
    rows = []
    for path in records:
        info = read_trace(path).info
        rows.append({
            "model": info.labels["model"],
            "prompt_set": info.labels["prompt_set"],
            "prompt": info.prompt,
            "text": info.text,
            "n_tokens": len(info.tokens),
            "tokens": readable(info.tokens, spelling, info.special_positions),
            "target": info.target,
            "target_token": info.target_token or None,
            "n_blocks": info.n_layers,
            "width": info.width,
            **{name: info.labels[name] for name in PRECISION},
            **{name: info.labels.get(name) for name in (QUANTIZED_SHARE, *COVERAGE)},
        })  # fmt: skip
    return pd.DataFrame(rows)
