"""`ip.lens`: every residual of a trace through the readout of its model."""

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from internal_physics.api.checks import in_words, load_options, reading_options, require_model, require_trace
from internal_physics.families.information.information import token_texts
from internal_physics.families.information.lens import LensOptions
from internal_physics.families.information.lens import lens as read_lens
from internal_physics.families.information.options import ReadingOptions, Target
from internal_physics.families.information.rows import Lens as Reading
from internal_physics.families.information.rows import position_rows, settled_layer
from internal_physics.ground.errors import ConfigError, ModelError, StoreError
from internal_physics.models.lazy_readout import open_readout
from internal_physics.models.loading import LoadedModel
from internal_physics.models.options import Dtype, LoadOptions, Quantization, Task
from internal_physics.models.readout import Readout
from internal_physics.records.trace import Trace

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True, repr=False)
class Lens(Reading):
    """The readout of every residual of one trace, with tokens as text.

    It has all attributes of the library's reading: entropy_nats and surprisal_nats [L + 1, T], top_ids, read, …

    Attributes:
        prompt: name of the prompt.
        token_texts: [T], the tokens that ran, as readable text.
        top_tokens: [L + 1, T] texts, the most probable token of each residual and position.
        layer_tokens: [L + 1, k] texts, the most probable tokens of each residual at the read position: `layer_ids`.
        rows: of `frame`.
        answer: the prompt's; "" where it has none that can be followed.
    """

    prompt: str = ""
    answer: str = ""
    token_texts: tuple[str, ...] = ()
    top_tokens: np.ndarray = dataclasses.field(default_factory=lambda: np.empty((0, 0), dtype=object))
    layer_tokens: np.ndarray = dataclasses.field(default_factory=lambda: np.empty((0, 0), dtype=object))
    rows: tuple[dict[str, Any], ...] = ()

    def __repr__(self) -> str:
        n_layers, n_tokens = self.top_ids.shape
        said = [f"{self.final_token!r} {_from(self.settled_layer)}"]
        if self.answer:
            said.append(f"answer {self.answer!r} {_from(self.answer_settled_layer)}")
        return f"Lens({self.prompt!r}: {n_layers - 1} layers, {n_tokens} tokens; {', '.join(said)})"

    @property
    def final_token(self) -> str:
        """The model's own most probable token at the last residual of the last position read."""
        return str(self.top_tokens[-1, self.read_position])

    @property
    def read_position(self) -> int:
        """Where the prediction is read."""
        return next((i for i, row in enumerate(self.rows[: len(self.token_texts)]) if row["is_read"]), -1)

    @property
    def settled_layer(self) -> float:
        """First residual from which on the model's own token stays on top where it is read; NaN if it never is."""
        return settled_layer(self.read["final_token_rank"])

    @property
    def answer_settled_layer(self) -> float:
        """The same for the prompt's answer, or without one for the model's token; NaN: not on top at the end."""
        return settled_layer(self.read["answer_rank"])

    @property
    def settled_layers(self) -> np.ndarray:
        """[T], for each position the first residual from which on the last residual's best token stays on top, 0..L."""
        same = self.top_ids == self.top_ids[-1]
        return np.array([settled_layer(np.where(column, 1, 2)) for column in same.T])

    def tokens(self, layer: int) -> tuple[str, ...]:
        """The most probable token of residual l at each position, [T] texts.

        Raises:
            StoreError: for a layer that does not exist.
        """
        if isinstance(layer, bool) or not isinstance(layer, int | np.integer) or not 0 <= layer < len(self.top_tokens):
            last = len(self.top_tokens) - 1
            raise StoreError(
                f"there is no residual {layer!r}", where="lens.tokens", expected=f"0 to {last}; there are {last} blocks"
            )
        return tuple(map(str, self.top_tokens[layer]))

    def frame(self) -> "pd.DataFrame":
        """One row per residual and position: layer, position, token, top_token, entropy_nats and others."""
        import pandas as pd  # noqa: PLC0415

        frame = pd.DataFrame(list(self.rows))
        frame.attrs["units"] = {"entropy_nats": "nats", "surprisal_nats": "nats"}
        return frame


@in_words
def lens(
    trace: Trace,
    model: LoadedModel | str | Path,
    *,
    temperature: float = ReadingOptions.temperature,
    target: Target = ReadingOptions.target,
    final_norm: bool = ReadingOptions.final_norm,
    top_k: int = ReadingOptions.top_k,
    dtype: Dtype | None = None,
    quantization: Quantization | None = None,
    device: str | None = None,
    task: Task | None = None,
    trust_remote_code: bool | None = None,
) -> Lens:
    """Read every residual of a trace through the readout of its model (the logit lens).

    Args:
        trace: fresh or read from a file.
        model: from `load`, or the folder of its snapshot; then only final norm and head are loaded.
        temperature: logits are divided by it; above 0.
        target: whose surprisal is computed: next, or self.
        final_norm: read through final norm and head, as the model does; false: the head alone, as published.
        top_k: how many tokens are kept of each layer.
        dtype: for a folder, as in `load`; the same holds for the following options.
        quantization: as in `load`.
        device: as in `load`.
        task: as in `load`.
        trust_remote_code: as in `load`.

    Returns:
        A Lens: entropies, surprisals and top tokens of every layer and position, and more at the read position.

    Raises:
        ConfigError: for an invalid option.
        ModelError: for a model that did not record the trace.
    """
    require_trace(trace, "lens → trace")
    how = {"temperature": temperature, "target": target, "final_norm": final_norm, "top_k": top_k}
    reading_options(how, "lens")
    of_folder = {
        "dtype": dtype,
        "quantization": quantization,
        "device": device,
        "task": task,
        "trust_remote_code": trust_remote_code,
    }
    readout, text_of = _opened(model, {key: value for key, value in of_folder.items() if value is not None})
    _require_fit(trace, readout)
    read = read_lens(
        trace, readout, LensOptions(temperature=temperature, target=target, final_norm=final_norm, top_k=top_k)
    )
    fields = {field.name: getattr(read, field.name) for field in dataclasses.fields(read)}
    return Lens(
        **fields,
        prompt=trace.info.prompt,
        token_texts=tuple(text_of(i) for i in trace.info.token_ids),
        top_tokens=_texts(read.top_ids, text_of),
        layer_tokens=_texts(read.layer_ids, text_of),
        rows=tuple(position_rows(trace, read, text_of)),
        answer=(trace.info.answer or "") if trace.info.answer_id is not None else "",
    )


def _texts(ids: np.ndarray, text_of: Callable[[int], str]) -> np.ndarray:
    return np.array([[text_of(int(i)) for i in row] for row in ids], dtype=object)


def _from(settled: float) -> str:
    return "not on top at the end" if np.isnan(settled) else f"on top from residual {settled:.0f}"


def _opened(model: LoadedModel | str | Path, given: dict[str, Any]) -> tuple[Readout, Callable[[int], str]]:
    """The readout of a model, and a function from token id to text."""
    if isinstance(model, str | Path):
        options = LoadOptions(**load_options(given, "lens"))
        texts = token_texts(model, trust_remote_code=options.trust_remote_code)
        return open_readout(model, options), texts
    require_model(model, "lens")
    if given:
        raise ConfigError(
            f"{next(iter(given))!r} does not apply to a model that is loaded",
            where="lens",
            expected="options of loading with the folder of a snapshot only",
            todo="remove it",
        )
    tokenizer = model.tokenizer
    named = lru_cache(maxsize=None)(lambda i: f"token {i}" if tokenizer is None else str(tokenizer.decode([i])))
    return Readout(model.module, model.anatomy), named


def _require_fit(trace: Trace, readout: Readout) -> None:
    found, has = (trace.n_layers, trace.info.width), (readout.anatomy.n_layers, readout.anatomy.width)
    if found != has:
        raise ModelError(
            f"the trace has {found[0]} blocks of width {found[1]}, the model {has[0]} of width {has[1]}",
            where="lens → model",
            expected="the model that the trace was recorded with",
        )
