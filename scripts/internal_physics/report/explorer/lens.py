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
        given = tokens.fillna("")
        codes = np.array([self.texts.setdefault(str(text), len(self.texts)) for text in given], dtype=np.int64)
        if len(self.texts) > np.iinfo(np.uint16).max:
            raise OverflowError(f"{len(self.texts)} different tokens")
        return codes.astype(np.uint16)


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
    of_subject = subjects.rows_of(rows)
    for subject, grid in rows[of_subject >= 0].groupby(of_subject[of_subject >= 0], sort=True):
        ordered = grid.sort_values(["layer", "position"])
        first = ordered[ordered["layer"] == ordered["layer"].iloc[0]]
        yield {
            "subject": int(subject),
            "n_layers": int(ordered["layer"].nunique()),
            "n_positions": len(first),
            "read": int(first.loc[first["is_read"], "position"].iloc[0]),
            "tokens": texts.coded(first["token"]).tolist(),
            "targets": texts.coded(first["target"]).tolist(),
            "top": pack.add(texts.coded(ordered["top_token"])),
            "probability": pack.add(ordered["top_probability"].to_numpy(dtype=np.float32)),
            "entropy": pack.add(ordered["entropy_nats"].to_numpy(dtype=np.float32)),
        }
