"""The target: the scalar of each prompt whose gradients are recorded, where that is not its loss.

It is one number of the prediction at the read position: the logit of a token, as the model computed it, or the natural
logarithm of the token's probability. As with losses, one backward pass of their sum gives each prompt its own gradient.

Index conventions: b prompt of the batch, v vocabulary entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from internal_physics.config.options.record import RecordOptions, Target, refuse_unused_token
from internal_physics.ground.errors import ConfigError
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.arrays import ToHost, to_device
from internal_physics.recording.one_token import one_token

_PLACE = "record → target_token"
_OWN_BEST = -1


@dataclass(frozen=True)
class Aim:
    """What a pass aims at.

    Attributes:
        kind: loss, logit or log_probability.
        token: id of the token of all prompts; None: of each prompt its answer, else the model's own most probable one.
    """

    kind: Target = "loss"
    token: int | None = None

    def at(self, losses: torch.Tensor, read: torch.Tensor, answers: Sequence[int | None]) -> "Aimed":
        """The target of each prompt of a pass; nothing is read back from the device.

        Args:
            losses: [b], in the graph of the pass.
            read: logits at the read position, [b, v], likewise.
            answers: token of each prompt's answer, None where it has none.
        """
        if self.kind == "loss":
            return Aimed(self.kind, losses)
        chosen = answers if self.token is None else [self.token] * len(answers)
        named = to_device(torch.tensor([_OWN_BEST if token is None else token for token in chosen]), read.device)
        token_ids = torch.where(named == _OWN_BEST, read.detach().argmax(dim=-1), named)
        return Aimed(self.kind, target_values(self.kind, read, token_ids), token_ids)


@dataclass(frozen=True)
class Aimed:
    """The targets of a pass.

    Attributes:
        kind: loss, logit or log_probability.
        values: [b], in the graph of the pass until they are on the host.
        token_ids: [b]; None for the loss.
    """

    kind: Target
    values: torch.Tensor
    token_ids: torch.Tensor | None = None

    def on_host(self, losses: torch.Tensor, to_host: ToHost) -> "Aimed":
        """The same without a graph, on the host once `to_host` has waited; `losses` are those of the pass there."""
        if self.token_ids is None:
            return Aimed(self.kind, losses)
        return Aimed(self.kind, to_host.start(self.values), to_host.start(self.token_ids))


def aim_of(model: LoadedModel, options: RecordOptions) -> Aim:
    """What the options aim at, in the tokens of a model.

    Raises:
        ConfigError: for a target_token that is not one token of the model, or that no target uses.
    """
    refuse_unused_token(options.target, options.target_token, _PLACE)
    if not options.target_token:
        return Aim(options.target)
    if model.tokenizer is None:
        raise ConfigError(
            "target_token is given as a text, and the model has no tokenizer",
            where=_PLACE,
            expected="a model with a tokenizer",
            todo="leave it out: the model's own most probable token is taken",
        )
    n_logits = model.module.get_output_embeddings().weight.shape[0]
    return Aim(options.target, one_token(options.target_token, model.tokenizer, n_logits, _PLACE))


def target_values(kind: Target, read: torch.Tensor, token_ids: torch.Tensor) -> torch.Tensor:
    """The target of each prompt, [b], in the graph of `read`.

    Args:
        kind: logit, or log_probability (in nats, ≤ 0).
        read: logits at the read position, [b, v]; half precision is raised to float32, float64 stays.
        token_ids: [b].
    """
    wide = read if read.dtype == torch.float64 else read.float()
    chosen = wide.gather(1, token_ids[:, None])[:, 0]
    return chosen if kind == "logit" else chosen - wide.logsumexp(dim=-1)
