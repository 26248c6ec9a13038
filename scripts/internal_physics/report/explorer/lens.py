"""Grid of a family's lens: what every residual of a prompt predicts at every position. Pure, no I/O.

Index conventions: l residual 0..L, t position.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from internal_physics.report.explorer.pack import Pack
from internal_physics.report.explorer.subjects import Subjects

COLUMNS = ("layer", "position", "is_read", "token", "target", "top_token", "top_probability", "entropy_nats")


class TokenTexts:
    """The different texts of tokens, by number in the order in which they come."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def coded(self, tokens: pd.Series) -> np.ndarray:
        """The number of every text; an empty one for a missing text.

        Raises:
            OverflowError: more texts than a page can number.
        """
        places, found = pd.factorize(tokens.fillna(""))
        codes = [self.texts.setdefault(str(text), len(self.texts)) for text in found]
        if len(self.texts) > np.iinfo(np.uint16).max:
            raise OverflowError(f"{len(self.texts)} different tokens")
        return np.array(codes, dtype=np.uint16)[places]


def grids(rows: pd.DataFrame, subjects: Subjects, texts: TokenTexts, pack: Pack) -> Iterator[dict[str, Any]]:
    """The grid of every subject in the rows of a lens.

    Args:
        rows: with the columns of PROMPT_KEY and COLUMNS (see families.information.rows.position_rows).
        subjects: of the page; rows of others are left out.
        texts: of the page; new ones are added.
        pack: of the page; probabilities, entropies and tokens are added.

    Yields:
        subject, n_layers, n_positions, read (the read position), tokens and targets (numbers in `texts` by position),
        and the places of top_token, top_probability and entropy [l, t] in the pack.
    """
    rows = rows.assign(subject=subjects.rows_of(rows))
    rows = rows[rows["subject"] >= 0].sort_values(["subject", "layer", "position"])
    codes = {name: texts.coded(rows[name]) for name in ("token", "target", "top_token")}
    layer, position, is_read = (rows[name].to_numpy() for name in ("layer", "position", "is_read"))
    numbers = {name: rows[name].to_numpy(dtype=np.float32) for name in ("top_probability", "entropy_nats")}
    found, starts = np.unique(rows["subject"], return_index=True)
    for subject, start, end in zip(found, starts, [*starts[1:], len(rows)], strict=True):
        n_positions = int((layer[start:end] == layer[start]).sum())
        first = slice(start, start + n_positions)
        yield {
            "subject": int(subject),
            "n_layers": int(end - start) // n_positions,
            "n_positions": n_positions,
            "read": int(position[first][is_read[first]][0]),
            "tokens": codes["token"][first].tolist(),
            "targets": codes["target"][first].tolist(),
            "top": pack.add(codes["top_token"][start:end]),
            "probability": pack.add(numbers["top_probability"][start:end]),
            "entropy": pack.add(numbers["entropy_nats"][start:end]),
        }
