"""Trace: the physical record of one prompt through one model.

The interface is the same for a fresh trace in memory and one read lazily from Parquet: tensors are addressed by a key
(site, layer, quantity) and returned as numpy arrays. This module depends on neither torch nor Parquet.

All gradients of a trace are of one number, its target: the loss, unless record.target names another. In the table, f
stands for it.

Index conventions: l residual position 0..L (L blocks), t token 0..T-1, d width, h head, k rank, V vocabulary.

| site | layer | quantity | shape | meaning |
|---|---|---|---|---|
| residual | 0..L | activation | [T, d] | input of block l; at L the output of the last block, before the final norm |
| residual | 0..L | gradient | [T, d] | ∂f/∂residual[l] |
| a module | -1..L | input | [T, in] | input of a linear map, stored once where maps share it |
| a module | -1..L | output_gradient | [T, out] | ∂f/∂output of a linear map or embedding |
| a module | -1 | ids | [T] | rows looked up in an embedding |
| a parameter | -1..L | gradient | [out, in] | ∂f/∂W of a weight that is no matrix of a product, kept whole |
| a parameter | -1..L | gradient_norm | [] | ‖G‖, where factors are not kept |
| weights | -1 | gradient_norms | [W] | ‖G‖ of all W weights with a use, in order, where sketches are kept |
| weights | -1 | gradient_sketches | [W, m] | their sketches, see `sketches` |
| attention | 0..L-1 | entropy_nats | [H, T] | entropy of a head's attention row, a sink being one outcome; may be NaN |
| attention | 0..L-1 | row_sum | [H, T] | sum of a row over tokens, where rows are not distributions over tokens |
| the experts of a block | 0..L-1 | router_logits | [T, E] | scores of the E experts, before any softmax |
| the experts of a block | 0..L-1 | expert_ids | [T, k] | the experts that each token was sent to |
| logits | L | entropy_nats, top_ids, top_log_probabilities | [], [k], [k] | prediction at the read position |
| logits | L | logits | [V] | the whole prediction, as the model computed it, where record.logits keeps it |
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, cast, runtime_checkable

import numpy as np

from internal_physics.ground.errors import StoreError
from internal_physics.ground.suggest import did_you_mean
from internal_physics.records.gradients import DenseTerm, FactoredGradient, LookupTerm, OuterTerm, Term
from internal_physics.records.info import ParameterInfo, TraceInfo, Use

T = TypeVar("T")


class Key(NamedTuple):
    """The name of one tensor of a trace."""

    site: str
    layer: int
    quantity: str


SKETCHES = Key("weights", -1, "gradient_sketches")
GRADIENT_NORMS = Key("weights", -1, "gradient_norms")


@runtime_checkable
class GivesSeveral(Protocol):
    """Tensors that come faster together than one by one, as from a file."""

    def read_many(self, keys: Sequence[Key]) -> list[np.ndarray]:
        """The tensors of these keys, in order."""
        ...


class Trace:
    """One prompt through one model: residual stream, its gradient, weight gradients, attention, logits.

    Args:
        info: what is known besides the tensors.
        tensors: a mapping from Key to array; a dict, or a lazy reader of a Parquet file.
    """

    def __init__(self, info: TraceInfo, tensors: Mapping[Key, np.ndarray]) -> None:
        self.info = info
        self.tensors = tensors
        self._parameters = {p.name: p for p in info.parameters}
        self._remembered: dict[str, Any] = {}

    def __repr__(self) -> str:
        i = self.info
        return f"Trace({i.text!r}: {self.n_tokens} tokens, {i.n_layers} layers, loss {i.loss_nats:.4f} nats)"

    @property
    def n_tokens(self) -> int:
        """T."""
        return len(self.info.token_ids)

    @property
    def n_layers(self) -> int:
        """L, the number of blocks; there are L + 1 residuals."""
        return self.info.n_layers

    @property
    def loss_nats(self) -> float:
        """Mean negative log-likelihood per predicted token, natural log; of a masked model that of the answer."""
        return self.info.loss_nats

    @property
    def target_value(self) -> float:
        """The number that the gradients are of: the loss or a log-probability, in nats, or a logit."""
        value = self.info.target_value
        return self.info.loss_nats if value is None else value

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the 2-D parameters whose gradients were recorded."""
        return tuple(self._parameters)

    def parameter(self, name: str) -> ParameterInfo:
        """Shape, layer and uses of one parameter.

        Raises:
            StoreError: naming the parameter, and one that exists.
        """
        if name not in self._parameters:
            raise StoreError(
                f"no recorded parameter {name!r}",
                where=f"trace of {self.info.prompt!r}",
                expected=f"one of the {len(self.parameters)} of trace.parameters",
                todo=did_you_mean(name, self.parameters, cutoff=0.5),
            )
        return self._parameters[name]

    def tensor(self, site: str, layer: int, quantity: str) -> np.ndarray:
        """One tensor by its key; see the table at the top of this module.

        Raises:
            StoreError: if the record does not hold it.
        """
        try:
            return self.tensors[Key(site, layer, quantity)]
        except KeyError:
            raise StoreError(
                f"no tensor {quantity!r} of {site!r} at layer {layer}",
                where=f"trace of {self.info.prompt!r}",
                expected="one of trace.tensors",
            ) from None

    def residual(self, layer: int) -> np.ndarray:
        """residual[l], [T, d]: input of block l; at l = L the output of the last block, before the final norm.

        Raises:
            StoreError: for a layer that there is not.
        """
        self._require_residual(layer)
        return self.tensor("residual", layer, "activation")

    def residual_gradient(self, layer: int) -> np.ndarray:
        """∂f/∂residual[l], [T, d], of the target f: the loss, unless record.target names another.

        Raises:
            StoreError: for a layer that there is not.
        """
        self._require_residual(layer)
        if "residual_gradients" in self._remembered:
            return self._remembered["residual_gradients"][layer]
        return self.tensor("residual", layer, "gradient")

    def residuals(self) -> np.ndarray:
        """All residuals, [L + 1, T, d]."""
        return self._stack("activation")

    def residual_gradients(self) -> np.ndarray:
        """All residual gradients, [L + 1, T, d]; cached by the trace, since all gradient-flow metrics use them."""
        return self.remember("residual_gradients", lambda: self._stack("gradient"))

    def log_probabilities(self) -> np.ndarray:
        """The prediction at the read position, [V]: logarithms of all probabilities, float64, in nats (≤ 0).

        NaN if a logit is not finite (minus infinity, a token that the model excludes, stays so).

        Raises:
            StoreError: if the record does not keep the logits (record.logits).
        """
        if not self.has_logits:
            raise StoreError(
                f"the record of {self.info.prompt!r} keeps no logits",
                expected="a record with record.logits: true",
                todo="record it again, or use the most probable tokens that it keeps: tensor top_log_probabilities",
            )
        logits = self.tensor("logits", self.n_layers, "logits").astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            shifted = logits - logits.max()
            return shifted - np.log(np.exp(shifted).sum())

    @property
    def has_logits(self) -> bool:
        """Whether the record keeps the whole prediction."""
        return Key("logits", self.n_layers, "logits") in self.tensors

    def remember(self, name: str, compute: Callable[[], T]) -> T:
        """The result of `compute`, computed once per trace: for values that several metrics share."""
        if name not in self._remembered:
            self._remembered[name] = compute()
        return self._remembered[name]

    def gradient(self, parameter: str) -> FactoredGradient:
        """The exact gradient of the target with respect to one 2-D parameter, as factors.

        Raises:
            StoreError: if the parameter was not recorded, or the record keeps no factors (weight_gradients).
        """
        if self.info.weight_gradients != "factors":
            raise StoreError(
                f"the record of {self.info.prompt!r} keeps weight_gradients: {self.info.weight_gradients}, not factors",
                todo="set weight_gradients: factors for its prompt set, or use gradient_norm()",
            )
        info = self.parameter(parameter)
        return FactoredGradient(info.shape, tuple(self._term(info, use) for use in info.uses), info.transposed)

    def gradient_norm(self, parameter: str) -> float:
        """‖G‖ of one parameter: stored, or computed from its factors.

        Raises:
            StoreError: if the parameter was not recorded, or no weight gradients were kept at all.
        """
        if self.info.weight_gradients != "none" and not self.parameter(parameter).uses:
            return 0.0
        if self.info.weight_gradients == "sketch":
            return float(self._kept_norms()[parameter])
        if self.info.weight_gradients == "norms":
            return float(self.tensor(parameter, self.parameter(parameter).layer, "gradient_norm"))
        return self.gradient(parameter).norm()

    def _kept_norms(self) -> dict[str, float]:
        """‖G‖ of all weights with a use, of a record of sketches."""
        used = [p.name for p in self.info.parameters if p.uses]
        return self.remember("gradient_norms", lambda: dict(zip(used, self.tensors[GRADIENT_NORMS], strict=True)))

    def _require_residual(self, layer: object) -> None:
        is_whole = isinstance(layer, int | np.integer) and not isinstance(layer, bool)
        if not is_whole or not 0 <= cast(int, layer) <= self.n_layers:
            raise StoreError(
                f"there is no residual {layer!r}",
                where=f"trace of {self.info.prompt!r}",
                expected=f"0 to {self.n_layers}; this model has {self.n_layers} blocks",
            )

    def _term(self, info: ParameterInfo, use: Use) -> Term:
        if use.dense:
            return DenseTerm(self.tensor(use.site, use.layer, "gradient"))
        output_gradient = self.tensor(use.site, use.layer, "output_gradient")
        if use.lookup:
            return LookupTerm(self.tensor(use.site, use.layer, "ids").astype(np.int64), output_gradient)
        n_out, n_in = info.shape[::-1] if info.transposed else info.shape
        given = self.tensor(use.input_site, use.input_layer, "input")
        return OuterTerm(_widened(given, use.first_in, n_in), _widened(output_gradient, use.first_out, n_out))

    def _stack(self, quantity: str) -> np.ndarray:
        keys = [Key("residual", layer, quantity) for layer in range(self.n_layers + 1)]
        if isinstance(self.tensors, GivesSeveral):
            return np.stack(self.tensors.read_many(keys))
        return np.stack([self.tensors[key] for key in keys])


def _widened(factor: np.ndarray, first: int, width: int) -> np.ndarray:
    """A factor [T, n] of a part of a matrix as one of the whole matrix, [T, width]: zero at all other features."""
    if factor.shape[1] == width:
        return factor
    whole = np.zeros((len(factor), width), factor.dtype)
    whole[:, first : first + factor.shape[1]] = factor
    return whole
