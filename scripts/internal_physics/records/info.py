"""What is known about a trace besides its tensors: the prompt, the model, and where each weight's gradient is kept.

It is stored in the metadata of a record's file. This module depends on neither torch nor Parquet.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class Use:
    """One use of a parameter by a module: where its two factors are kept.

    Attributes:
        site: the module; its `output_gradient` (and `ids`, for a look-up) are kept under this name.
        layer: -1 before the blocks, 0..L-1 inside block l, L after them.
        lookup: whether the module is an embedding.
        input_site, input_layer: where its input is kept; that of another module if several maps share one.
        dense: whether the gradient is kept whole, as the tensor `gradient`; it is then the only use.
        first_out, first_in: the first output and input feature of the matrix that the use has, if it has a part only.
    """

    site: str
    layer: int
    lookup: bool
    input_site: str
    input_layer: int
    dense: bool = False
    first_out: int = 0
    first_in: int = 0


@dataclass(frozen=True)
class ParameterInfo:
    """A matrix and its uses: a 2-D parameter, one of a stack (`experts.down_proj[3]`), or a parameter seen as one.

    `layer` is -1 before the blocks, L after them. A matrix without uses has a gradient of zero: an expert that no token
    of the prompt was sent to.
    """

    name: str
    shape: tuple[int, int]
    layer: int
    transposed: bool
    uses: tuple[Use, ...]

    @property
    def is_table(self) -> bool:
        """Whether its first use is a look-up."""
        return bool(self.uses) and self.uses[0].lookup


@dataclass(frozen=True)
class TraceInfo:
    """What is known about a trace besides its tensors; every field is stored in the file's metadata.

    `tokens` are the tokenizer's own strings, `token_texts` and `top_tokens` readable text: that of the tokens, and that
    of the ids in the tensor `top_ids`, decoded one by one during recording. Both are empty without a tokenizer, and in
    records from before these fields existed.
    `special_positions` are those of special tokens: around the text, of a chat template, a [MASK]. None where it is not
    known: in records from before this field existed, and without a tokenizer.
    `target` is what the gradients are of: loss, logit or log_probability. For the latter two, `target_id` is the token
    at the read position, `target_token` its text ("" without a tokenizer), and `target_value` the logit, or the
    log-probability in nats.
    `answer` is the prompt's, None where it has none. `answer_id` is its token at the read position, of an answer of
    `n_answer_tokens` tokens the first; None where there is no answer, and where no token of the model begins it.
    `sketch_size` and `sketch_seed` are those of the sketches of weight gradients; 0 where none are kept.
    """

    prompt: str
    text: str
    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    loss_nats: float
    n_layers: int
    width: int
    task: str
    weight_gradients: str
    read_position: int
    parameters: tuple[ParameterInfo, ...] = ()
    labels: Mapping[str, Any] = field(default_factory=dict)
    top_tokens: tuple[str, ...] = ()
    answer_id: int | None = None
    special_positions: tuple[int, ...] | None = None
    answer: str | None = None
    n_answer_tokens: int = 0
    sketch_size: int = 0
    sketch_seed: int = 0
    target: str = "loss"
    target_id: int | None = None
    target_token: str = ""
    target_value: float | None = None
    token_texts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain types only, for the metadata of a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "TraceInfo":
        """The inverse of `to_json`; JSON's lists become tuples again."""
        parameters = tuple(
            ParameterInfo(p["name"], tuple(p["shape"]), p["layer"], p["transposed"], tuple(Use(**u) for u in p["uses"]))
            for p in raw["parameters"]
        )
        tuples = {name: tuple(raw.get(name, ())) for name in ("token_ids", "tokens", "top_tokens", "token_texts")}
        special = raw.get("special_positions")
        return cls(
            **{
                **raw,
                **tuples,
                "parameters": _once(parameters),
                "special_positions": None if special is None else tuple(special),
            }
        )


@lru_cache(maxsize=16)
def _once(parameters: tuple[ParameterInfo, ...]) -> tuple[ParameterInfo, ...]:
    """The same object for equal parameters: thousands of records of a model share one description of it."""
    return parameters
