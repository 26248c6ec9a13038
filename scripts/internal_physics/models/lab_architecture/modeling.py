"""A transformer whose parts are options, as an ordinary model of transformers: causal or masked.

Index conventions: b row, t token, d width, v vocabulary.
"""

from typing import Any

import torch
from torch import nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput, MaskedLMOutput

from internal_physics.ground.errors import ModelError
from internal_physics.models.lab_architecture.attention import LabAttention, Places
from internal_physics.models.lab_architecture.configuration import LabConfig, require_sound
from internal_physics.models.lab_architecture.parts import CANON_KERNEL, Canon, LabMlp, canon, norm


class LabBlock(nn.Module):
    """x + attention(norm x), then + mlp(norm x); Canon A and C are on what the norms give."""

    def __init__(self, config: LabConfig) -> None:
        super().__init__()
        self.attention_norm = norm(config, has_gain=config.norm_gains)
        self.canon_a = canon(config, "A", config.hidden_size)
        self.self_attn = LabAttention(config)
        self.mlp_norm = norm(config, has_gain=config.norm_gains)
        self.canon_c = canon(config, "C", config.hidden_size)
        self.mlp = LabMlp(config)

    def forward(self, hidden_states: torch.Tensor, places: Places) -> tuple[torch.Tensor, torch.Tensor | None]:
        """[b, t, d] → [b, t, d], and attention rows where they are asked for."""
        mixed, rows = self.self_attn(self.canon_a(self.attention_norm(hidden_states)), places)
        hidden = hidden_states + mixed
        return hidden + self.mlp(self.canon_c(self.mlp_norm(hidden))), rows


class LabPreTrainedModel(PreTrainedModel):
    """What transformers needs of every class of lab models."""

    config_class = LabConfig
    base_model_prefix = "model"
    _supports_sdpa = True
    _no_split_modules = ["LabBlock"]  # noqa: RUF012  (as transformers reads it)

    def _init_weights(self, module: nn.Module) -> None:
        """Normal with the config's standard deviation, smaller by sqrt(2 L) where a block writes to the stream.

        Embeddings have their own deviation where the config gives one. With `zero_outputs`, zero where a block writes
        and in an untied head: neither changes anything at first.
        Convolutions are uniform in ±1/2, as torch draws those of kernel 4; tables of distances begin at 0.
        """
        std = self.config.std
        if isinstance(module, nn.Linear):
            writes, is_head = getattr(module, "writes_to_stream", False), getattr(module, "is_head", False)
            nn.init.normal_(module.weight, std=std / (2 * self.config.num_hidden_layers) ** 0.5 if writes else std)
            if self.config.zero_outputs and (writes or (is_head and not self.config.tie_word_embeddings)):
                nn.init.zeros_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.embedding_std or std)
        elif isinstance(module, nn.LayerNorm | nn.RMSNorm) and module.weight is not None:
            nn.init.ones_(module.weight)
            if isinstance(module, nn.LayerNorm) and module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, Canon):
            nn.init.uniform_(module.conv, -(CANON_KERNEL**-0.5), CANON_KERNEL**-0.5)
        elif isinstance(module, LabAttention) and self.config.n_distances:
            nn.init.zeros_(module.position_bias)


class LabModel(LabPreTrainedModel):
    """Tokens → the last residual, normed."""

    def __init__(self, config: LabConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        if config.attention == "absolute":
            self.embed_positions = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.layers = nn.ModuleList(LabBlock(config) for _ in range(config.num_hidden_layers))
        self.norm = norm(config)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        *,
        inputs_embeds: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        **_others: Any,
    ) -> BaseModelOutput:
        """See `LabForCausalLM`."""
        hidden = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        self._require_room(hidden.shape[1])
        if self.config.attention == "absolute":
            rows = torch.arange(hidden.shape[1], device=hidden.device) if position_ids is None else position_ids
            hidden = hidden + self.embed_positions(rows)
        padding = _padding(attention_mask)
        self._require_padding_after(padding)
        places = Places(position_ids, padding, bool(output_attentions) or self._is_eager)
        kept, attentions = [hidden], []
        for block in self.layers:
            hidden, attention = block(hidden, places)
            kept.append(hidden)
            attentions.append(attention)
        return BaseModelOutput(
            last_hidden_state=self.norm(hidden),
            hidden_states=tuple(kept) if output_hidden_states else None,
            attentions=tuple(attentions) if output_attentions else None,
        )

    @property
    def _is_eager(self) -> bool:
        return self.config._attn_implementation == "eager"

    def _require_padding_after(self, padding: torch.Tensor | None) -> None:
        """Refuse padding before the tokens of a row, which a convolution would read."""
        if padding is not None and self.config.canon and not bool(padding[:, 0].all()):
            raise ModelError(
                "padding before the tokens", where="a lab model with Canon layers", expected="padding after"
            )

    def _require_room(self, n_tokens: int) -> None:
        """Refuse a row that tables of positions have no place for; rotary and uniform attention have no tables."""
        if n_tokens > self.config.max_position_embeddings and self.config.attention not in ("rotary", "uniform"):
            raise ModelError(
                f"a row of {n_tokens} tokens",
                where=f"a lab model with {self.config.attention} attention",
                expected=f"at most {self.config.max_position_embeddings} tokens",
            )


class _LabWithHead(LabPreTrainedModel, GenerationMixin):
    """A lab model with its head, which may be tied to the embedding."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012  (as transformers reads it)
    reads_both_ways = False

    def __init__(self, config: LabConfig) -> None:
        require_sound(config)
        if config.reads_both_ways != self.reads_both_ways:
            kind = "masked" if config.reads_both_ways else "causal"
            raise ModelError(f"this lab model is {kind}", where="task", todo=f"set `task: {kind}` for it")
        super().__init__(config)
        self.model = LabModel(config)
        head: Any = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        head.is_head = True
        self.lm_head = head
        self.post_init()


class LabForCausalLM(_LabWithHead):
    """A lab model that predicts the next token."""

    def forward(
        self, input_ids: torch.Tensor | None = None, use_cache: bool | None = None, **given: Any
    ) -> CausalLMOutput:
        """Logits [b, t, v] of ids [b, t].

        Args:
            input_ids: [b, t].
            use_cache: has no effect; every pass computes all tokens.
            **given: attention_mask [b, t] (0 for padding, on either side), position_ids, inputs_embeds [b, t, d],
                output_attentions, output_hidden_states.
        """
        output = self.model(input_ids, **given)
        logits = self.lm_head(output.last_hidden_state)
        return CausalLMOutput(logits=logits, hidden_states=output.hidden_states, attentions=output.attentions)

    def prepare_inputs_for_generation(self, input_ids: torch.Tensor, *_others: Any, **given: Any) -> dict[str, Any]:
        """All tokens, each time, because there is no cache; positions count from the first real token."""
        mask = given.get("attention_mask")
        positions = None if mask is None else (mask.cumsum(-1) - 1).clamp(min=0)
        return {"input_ids": input_ids, "attention_mask": mask, "position_ids": positions}


class LabForMaskedLM(_LabWithHead):
    """A lab model that reads both ways and predicts masked tokens."""

    reads_both_ways = True

    def forward(self, input_ids: torch.Tensor | None = None, **given: Any) -> MaskedLMOutput:
        """Logits [b, t, v] of ids [b, t]; arguments as in `LabForCausalLM`."""
        output = self.model(input_ids, **given)
        logits = self.lm_head(output.last_hidden_state)
        return MaskedLMOutput(logits=logits, hidden_states=output.hidden_states, attentions=output.attentions)


def _padding(attention_mask: torch.Tensor | None) -> torch.Tensor | None:
    """[b, t] True for real tokens; None where all are real."""
    if attention_mask is None or bool(attention_mask.all()):
        return None
    return attention_mask.bool()
