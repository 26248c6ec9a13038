"""The Trace of the Python API: a record with conveniences for a notebook; reading and writing it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from internal_physics.ground.errors import StoreError
from internal_physics.models.kinds import kind_of
from internal_physics.records import store
from internal_physics.records.trace import Trace as Record

if TYPE_CHECKING:
    import pandas as pd


class Trace(Record):
    """One prompt through one model: residual stream, its gradient, weight gradients, attention, prediction.

    It has all attributes of the library's record, and the following conveniences. Arrays are NumPy arrays.
    """

    @property
    def text(self) -> str:
        """The text as it was given."""
        return self.info.text

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that ran, as strings of the tokenizer, [T]: "Ġof" or "▁of" for " of". See `token_texts`."""
        return self.info.tokens

    @property
    def token_texts(self) -> tuple[str, ...]:
        """The tokens that ran, as readable text, [T]: each decoded alone.

        A part of a character is the replacement sign; Llama's decoder leaves out a space in front. A record that was
        made without a tokenizer, or before these texts were kept, has the tokenizer's own strings or the ids here.
        """
        return self.info.token_texts or self.info.tokens

    @property
    def name(self) -> str:
        """Name of the prompt."""
        return self.info.prompt

    @property
    def kind(self) -> str:
        """Kind of the prompt; "" if it has none. Records of the workflow have none: see table `prompts`."""
        return str(self.info.labels.get("kind", ""))

    @property
    def answer(self) -> str | None:
        """The prompt's answer; None where it has none."""
        return self.info.answer

    @property
    def logits(self) -> "pd.DataFrame":
        """The prediction at the read position, most probable first: token, id, probability, log_probability (nats).

        The `top_k` tokens that the record keeps. `trace.log_probabilities()` gives those of the whole vocabulary.
        """
        import pandas as pd  # noqa: PLC0415

        ids = self.tensor("logits", self.n_layers, "top_ids").astype(np.int64)
        log_p = self.tensor("logits", self.n_layers, "top_log_probabilities").astype(np.float64)
        texts = self.info.top_tokens or [f"token {i}" for i in ids]
        columns = {"token": list(texts), "id": ids, "probability": np.exp(log_p), "log_probability": log_p}
        frame = pd.DataFrame(columns)
        frame.attrs["units"] = {"log_probability": "nats"}
        return frame

    def frame(self) -> "pd.DataFrame":
        """One row per residual l = 0..L and token, with the norms of the residual and its gradient, and the cosine with
        the next residual.

        Columns: layer, position, token; residual_norm is ‖residual[l, t]‖; gradient_norm is ‖∂loss/∂residual[l, t]‖ in
        nats per residual unit; cosine_to_next is the cosine of residual[l, t] with residual[l + 1, t], NaN at l = L and
        where a norm is zero.
        """
        import pandas as pd  # noqa: PLC0415

        stream, gradient = self.residuals().astype(np.float64), self.residual_gradients().astype(np.float64)
        norms, slopes = np.linalg.norm(stream, axis=2), np.linalg.norm(gradient, axis=2)
        n_layers, n_tokens = norms.shape
        columns = {
            "layer": np.repeat(np.arange(n_layers), n_tokens),
            "position": np.tile(np.arange(n_tokens), n_layers),
            "token": list(self.tokens) * n_layers,
            "residual_norm": norms.ravel(),
            "gradient_norm": slopes.ravel(),
            "cosine_to_next": _cosines_to_next(stream, norms).ravel(),
        }
        frame = pd.DataFrame(columns)
        frame.attrs["units"] = {"residual_norm": "residual units", "gradient_norm": "nats / residual unit"}
        return frame

    def pulls(self, n: int = 10) -> "pd.DataFrame":
        """The weights that the loss of this prompt pulls at most, the strongest first.

        Columns: parameter, layer (block; -1 before the blocks, L after them), kind of map, gradient_norm (‖G‖, in nats
        per unit of the weight) and gradient_share (‖G‖² / Σ‖G‖² over all recorded weights, 0 to 1; NaN if all are 0).

        Args:
            n: how many rows.

        Raises:
            StoreError: if the record keeps no weight gradients.
        """
        import pandas as pd  # noqa: PLC0415

        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
            raise StoreError(f"found {n!r:.60}", where="pulls → n", expected="a whole number ≥ 1")
        if self.info.weight_gradients == "none":
            raise StoreError(
                f"the record of {self.name!r} keeps no weight gradients", todo="set weight_gradients: norms or factors"
            )
        infos = [self.parameter(name) for name in self.parameters]
        kinds = [kind_of(i.name, layer=i.layer, n_layers=self.n_layers, lookup=i.is_table) for i in infos]
        norms = np.array([self.gradient_norm(info.name) for info in infos])
        with np.errstate(invalid="ignore"):
            shares = norms**2 / np.sum(norms**2)
        columns = {"parameter": list(self.parameters), "layer": [info.layer for info in infos], "kind": kinds}
        frame = pd.DataFrame(columns | {"gradient_norm": norms, "gradient_share": shares})
        strongest = frame.sort_values("gradient_norm", ascending=False, kind="stable").head(n).reset_index(drop=True)
        strongest.attrs["units"] = {"gradient_norm": "nats / weight", "gradient_share": "1"}
        return strongest

    def save(self, path: str | Path) -> Path:
        """Write the trace to a Parquet file, which `ip.read_trace` opens; missing folders are made.

        Raises:
            StoreError: if the file cannot be written; it names the file, and nothing is left behind.
        """
        if not isinstance(path, str | Path):
            raise StoreError(f"found a {type(path).__name__}", where="save → path", expected="the path of a file")
        write_trace(self, path)
        return Path(path)


def _cosines_to_next(stream: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """[L + 1, T] cosines of residual[l, t] with residual[l + 1, t]; NaN at L and where a norm is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = (stream[:-1] * stream[1:]).sum(axis=2) / (norms[:-1] * norms[1:])
    return np.concatenate([np.clip(cosines, -1.0, 1.0), np.full((1, norms.shape[1]), np.nan)])


def read_trace(path: str | Path) -> Trace:
    """Open a trace lazily: only the footer is read now, each tensor on first use.

    Args:
        path: a file of `Trace.save`, or a record of the workflow, results/tensors/{model}/{condition}/{set}/{prompt}.

    Raises:
        StoreError: if the file is missing, truncated, damaged or not a record; it names the file.
    """
    if not isinstance(path, str | Path):
        raise StoreError(f"found a {type(path).__name__}", where="read_trace → path", expected="the path of a file")
    found = store.read_trace(path)
    return Trace(found.info, found.tensors)


def write_trace(trace: Record, path: str | Path) -> str:
    """Write a trace to a Parquet file and return its sha256.

    Raises:
        StoreError: if the file cannot be written, or the arguments are in the wrong order.
    """
    if not isinstance(trace, Record) or not isinstance(path, str | Path):
        raise StoreError(
            f"found ({type(trace).__name__}, {type(path).__name__})",
            where="write_trace",
            expected="a Trace, then a path",
        )
    if Path(path).is_dir():
        raise StoreError("this is a folder", where=str(path), expected="the path of a file, such as france.parquet")
    return store.write_trace(trace, path)
