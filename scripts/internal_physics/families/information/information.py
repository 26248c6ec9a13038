"""Rule information: stored traces and the readout of their model → information per layer, lens, predictions.

The readout is proven on every trace before anything is kept: from residual[L], it must give the recorded prediction.
"""

import logging
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from internal_physics.families.information.distribution import entropy_nats, log_probabilities
from internal_physics.families.information.followed import followed_row
from internal_physics.families.information.lens import LensOptions, lens
from internal_physics.families.information.options import ReadingOptions
from internal_physics.families.information.rows import (
    Row,
    position_rows,
    prediction_rows,
    rows,
    token_rows,
)
from internal_physics.ground.errors import ConfigError, ModelError
from internal_physics.ground.options import names_of
from internal_physics.models.checkpoint import tokenizer_files
from internal_physics.models.lazy_readout import open_readout
from internal_physics.models.options import LoadOptions
from internal_physics.models.tokenizer import read_tokenizer
from internal_physics.recording.one_token import one_token
from internal_physics.records.store import read_traces
from internal_physics.records.trace import Trace
from internal_physics.tables.measure import key_of, per_prompt_table

LOGGER = logging.getLogger("internal_physics")
# Largest difference of a log-probability or entropy, in nats. Reading differs from the recorded pass only in how many
# rows are multiplied at once; half precision rounds logits of 30 to steps of 0.02 (float16) or 0.1 (bfloat16).
TOLERANCE_NATS = {"float64": 1e-9, "float32": 1e-3, "float16": 0.05, "bfloat16": 0.25}


def information(tensors: Iterable[str | Path], **settings: Any) -> dict[str, pd.DataFrame]:
    """All that `information_chunks` gives, by name."""
    found: dict[str, list[pd.DataFrame]] = {}
    for name, chunk in information_chunks(tensors, **settings):
        found.setdefault(name, []).append(chunk)
    return {name: pd.concat(chunks, ignore_index=True) for name, chunks in found.items()}


def information_chunks(
    tensors: Iterable[str | Path],
    *,
    snapshot: str | Path,
    load: Mapping[str, Any],
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read every trace of one model and condition, one after the other.

    Args:
        tensors: paths of the traces.
        snapshot: folder of their model.
        load: options of LoadOptions, as they were recorded with.
        settings: temperature, target, final_norm, top_k, sampling and watch (the config's `information`).
        seed: of sampled predictions.
        threads: of torch.

    Yields:
        Of every trace: metric (rows of tables.measure), positions and tokens (of the lens), followed (the token whose
        values along depth are the metric's `answer_…`), predictions (its table).

    Raises:
        ModelError: if the readout cannot be loaded, or does not give what was recorded.
        ConfigError: for a watched text that is not one token.
    """
    torch.set_num_threads(threads)
    options = LoadOptions(**load)
    readout = open_readout(snapshot, options)
    text_of = token_texts(snapshot, trust_remote_code=options.trust_remote_code)
    LOGGER.info("readout of %d tokens loaded, without the blocks", readout.vocabulary)
    watched = settings["watch"]
    read = LensOptions(
        **{key: settings[key] for key in names_of(ReadingOptions)},
        watched_ids=watched_ids(
            watched, snapshot, trust_remote_code=options.trust_remote_code, n_logits=readout.vocabulary
        ),
    )
    paths = list(tensors)
    for trace in tqdm(read_traces(paths), total=len(paths), unit="prompt", file=sys.stderr):
        found, keys = lens(trace, readout, read), key_of(trace)
        verify_readout(trace, found.final_log_p, options.dtype, read.temperature)
        drawn = prediction_rows(trace, found, text_of, k=read.top_k, sampling=settings["sampling"], seed=seed)
        yield "metric", per_prompt_table([trace], partial(rows, lens=found, watched=watched))
        yield "positions", _table(keys, position_rows(trace, found, text_of))
        yield "tokens", _table(keys, token_rows(found, text_of))
        yield "followed", _table(keys, [followed_row(trace, found, text_of)])
        yield "predictions", _table(keys, drawn)


def _table(keys: Row, rows: Iterable[Row]) -> pd.DataFrame:
    return pd.DataFrame([keys | row for row in rows])


def token_texts(snapshot: str | Path, *, trust_remote_code: bool = False) -> Any:
    """A function from token id to readable text; a part of a character decodes to the replacement sign.

    Without a tokenizer, a token is called by its number: "token 7".
    """
    if not tokenizer_files(snapshot) and not trust_remote_code:
        return lambda token: f"token {token}"
    tokenizer = read_tokenizer(snapshot, trust_remote_code=trust_remote_code)
    return lru_cache(maxsize=None)(lambda token: tokenizer.decode([token]))


def watched_ids(
    texts: Sequence[str], snapshot: str | Path, *, trust_remote_code: bool = False, n_logits: int | None = None
) -> tuple[int, ...]:
    """Ids of the tokens to follow.

    Raises:
        ConfigError: for a text that the model's tokenizer cuts into several tokens, or does not know, or that the model
            has none of its `n_logits` for.
    """
    if not texts:
        return ()
    if not tokenizer_files(snapshot) and not trust_remote_code:
        raise ConfigError(
            "tokens to watch are given as texts, and the model has no tokenizer",
            where="information → watch",
            expected="a model with a tokenizer",
            todo="leave out `watch`, or copy the tokenizer that it comes with into its folder",
        )
    tokenizer = read_tokenizer(snapshot, trust_remote_code=trust_remote_code)
    return tuple(one_token(text, tokenizer, n_logits, "information → watch") for text in texts)


def verify_readout(trace: Trace, final_log_p: np.ndarray, dtype: str, temperature: float = 1.0) -> None:
    """Compare what the readout gives from residual[L] at the read position with the recorded entropy and best tokens.

    A record whose prediction is not finite has nothing to compare with; its rows will say so.

    Args:
        trace: the record.
        final_log_p: [v], the readout's log-probabilities there, as the lens has them.
        dtype: the model's, which sets the tolerance.
        temperature: at which they are; records are at 1.

    Raises:
        ModelError: with the largest difference, in nats.
    """
    recorded = {
        name: trace.tensor("logits", trace.n_layers, name) for name in ("entropy_nats", "top_log_probabilities")
    }
    if not all(np.isfinite(values).all() for values in recorded.values()):
        return
    log_p = log_probabilities(torch.from_numpy(final_log_p[None]), 1 / temperature)
    found = log_p[0].numpy()[trace.tensor("logits", trace.n_layers, "top_ids").astype(np.int64)]
    entropy = float(entropy_nats(log_p))
    difference = max(
        float(np.abs(found - recorded["top_log_probabilities"]).max()), abs(entropy - float(recorded["entropy_nats"]))
    )
    if math.isnan(difference) or difference > TOLERANCE_NATS[dtype]:
        raise ModelError(
            f"the readout of residual {trace.n_layers} differs from the recorded prediction by {difference:.1e} nats",
            where=f"prompt {trace.info.prompt!r}",
            expected=f"at most {TOLERANCE_NATS[dtype]:g} ({dtype})",
            todo="was the snapshot changed after recording? Delete the prompt's record and run again, or report it",
        )
