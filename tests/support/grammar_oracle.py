"""A model that knows a grammar: its next-token distribution is the exact one."""

from types import SimpleNamespace

import numpy as np
import torch
from internal_physics.lab.data.grammars import exact
from internal_physics.lab.data.grammars.training import FIRST_TERMINAL_ID
from internal_physics.lab.data.vocabulary import END_ID

IMPOSSIBLE = -1e4


class GrammarOracle:
    """Called as a lab model: ids that begin with `<eos>` → logits; after an impossible prefix, the end."""

    device = torch.device("cpu")

    def __init__(self, grammar):
        self.grammar = grammar

    def __call__(self, ids):
        strings = [self._string(row) for row in ids.numpy()]
        logits = np.full((*ids.shape, FIRST_TERMINAL_ID + len(self.grammar.terminals)), IMPOSSIBLE)
        logits[..., END_ID] = 0
        wanted = [END_ID, *range(FIRST_TERMINAL_ID, logits.shape[-1])]
        for row, found in enumerate(exact.prefixes(self.grammar, strings)):
            with np.errstate(divide="ignore"):
                logs = np.maximum(np.log(found.next_tokens), IMPOSSIBLE)
            known = np.isfinite(logs[:, 0])
            logits[row, : len(logs)][np.ix_(known, wanted)] = logs[known]
        return SimpleNamespace(logits=torch.tensor(logits))

    def _string(self, row):
        ends = np.flatnonzero(row[1:] == END_ID)
        row = row[1 : 1 + ends[0]] if ends.size else row[1:]
        return [self.grammar.terminals[i - FIRST_TERMINAL_ID] for i in row]
