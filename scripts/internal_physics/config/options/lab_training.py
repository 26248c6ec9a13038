"""Options of a training: the model, and how it is trained. No heavy imports."""

from dataclasses import dataclass
from typing import Annotated, Literal

from internal_physics.ground.errors import ConfigError
from internal_physics.ground.options import (
    Count,
    NaturalNumber,
    NonNegativeNumber,
    Pattern,
    PositiveNumber,
    Range,
    Size,
)
from internal_physics.models.lab_architecture.shape import Shape, unsound

AttentionKind = Literal["absolute", "rotary", "relative", "position_only", "uniform"]
Mlp = Literal["plain", "gated"]
Activation = Literal["gelu", "silu", "relu_squared"]
NormKind = Literal["layer", "rms"]
Decaying = Literal["matrices", "blocks"]
CanonPlaces = Annotated[str, Pattern("^A?B?C?D?$")]
ShareOfSteps = Annotated[float, Range(minimum=0, below=1)]
ShareOfRate = Annotated[float, Range(minimum=0)]


@dataclass(frozen=True)
class LabModelOptions:
    """The model of an arm.

    Attributes:
        attention: how a token chooses what it reads.
            - absolute: queries and keys; a learned table of positions is added to the embedding.
            - rotary: queries and keys, rotated by their positions.
            - relative: queries and keys, plus a learned number for each head and distance.
            - position_only: a learned number for each head and distance alone.
            - uniform: head h = 1, 2, … averages the token and the 2^h − 2 before it; nothing is learned.
        layers: number of blocks.
        width: of the residual stream.
        heads: attention heads; a divisor of `width`.
        mlp: which MLP a block has.
            - plain: two maps.
            - gated: three maps, one of which gates another.
        mlp_width: width inside the MLP; 0 for 4 · width (plain) or 8/3 · width (gated).
        activation: function between the maps of the MLP.
            - gelu: x · Φ(x).
            - silu: x · sigmoid(x).
            - relu_squared: max(x, 0)².
        norm: what brings residuals to one size before a map.
            - layer: LayerNorm.
            - rms: RMSNorm, which leaves the mean.
        norm_gains: whether the norms before attention and MLP learn a gain for each number, and a LayerNorm a bias. The
            norm before the head always does.
        biases: whether linear maps and LayerNorms have biases.
        tied: whether the head is the embedding.
        canon: where short convolutions along the tokens are added: before attention (A), on queries, keys and values
            (B), before the MLP (C), inside it (D); such as ABCD.
        initial_std: standard deviation of the first weights; 0 for 1/√width, which small models learn fastest from.
        embedding_std: that of the embeddings; 0 for that of all weights. Small embeddings are soon outgrown by what the
            blocks write, and a probe that changes them a little changes much.
        zero_outputs: whether maps that write to the residual stream, and a head that is not tied, begin at zero.
        rotary_base: base of the angles of rotary attention.
        rotary_share: share of a head's width that is rotated.
        context: longest row in tokens; 0 for that of the data.
        masked: whether tokens see later ones, and masked words are predicted instead of the next.
    """

    attention: AttentionKind = "rotary"
    layers: Count = 2
    width: Count = 32
    heads: Count = 2
    mlp: Mlp = "plain"
    mlp_width: NaturalNumber = 0
    activation: Activation = "gelu"
    norm: NormKind = "layer"
    norm_gains: bool = True
    biases: bool = True
    tied: bool = True
    canon: CanonPlaces = ""
    initial_std: NonNegativeNumber = 0.0
    embedding_std: NonNegativeNumber = 0.0
    zero_outputs: bool = False
    rotary_base: PositiveNumber = 10000.0
    rotary_share: Annotated[float, Range(above=0)] = 1.0
    context: NaturalNumber = 0
    masked: bool = False

    def __post_init__(self) -> None:
        """Check that there is such a model.

        Raises:
            ConfigError: for heads that do not divide the width, and other options that describe no model.
        """
        shape = Shape(self.width, self.heads, self.attention, self.canon, self.rotary_share, self.masked)
        if found := unsound(shape):
            raise ConfigError(
                f"{found.entry} is {getattr(self, found.entry)!r}",
                where=f"model → {found.entry}",
                expected=found.expected,
                todo="change it, or the options that it has to fit",
            )


@dataclass(frozen=True)
class TrainingOptions:
    """How an arm is trained.

    Attributes:
        optimizer: which rule of change.
            - adamw: for all weights.
            - muon: for the matrices in the blocks, whose steps are made orthogonal; AdamW for all others.
        learning_rate: the largest, of AdamW.
        muon_learning_rate: the largest, of Muon.
        muon_joins: whether Muon takes queries, keys and values of a block as one matrix, as where one map computes
            them, instead of each by itself.
        weight_decay: per step and unit of learning rate.
        decaying: which weights have it.
            - matrices: linear maps and embeddings.
            - blocks: linear maps inside blocks.
        beta1: of AdamW's mean of gradients.
        beta2: of AdamW's mean of squared gradients.
        epsilon: added to the root of the latter.
        warmup_share: share of the steps in which the learning rate rises from 0.
        schedule: how it falls afterwards.
            - cosine: along a cosine.
            - linear: along a line.
            - constant: not at all.
        decay_share: share of the steps, at the end, in which it falls; 1 for all after the warm-up.
        final_share: what is left of it at the end.
        low_rank: rank of a change of queries, keys and values, half of that of the embedding; nothing else is
            trained (LoRA, with AdamW). For an arm that starts from another; 0 trains all weights.
        clip_norm: largest norm of the gradient of all weights; 0 for no limit.
        snapshots: steps after which the model is kept, besides the last; 0 is the model before training.
        device: where it is trained.
            - auto: a GPU where there is one, else the CPU.
            - cpu: the CPU.
    """

    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: PositiveNumber = 5e-3
    muon_learning_rate: PositiveNumber = 2e-2
    muon_joins: bool = False
    weight_decay: NonNegativeNumber = 0.01
    decaying: Decaying = "matrices"
    beta1: ShareOfSteps = 0.9
    beta2: ShareOfSteps = 0.98
    epsilon: PositiveNumber = 1e-6
    warmup_share: ShareOfSteps = 0.05
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    decay_share: Annotated[float, Range(above=0)] = 1.0
    final_share: ShareOfRate = 0.1
    low_rank: NaturalNumber = 0
    clip_norm: NonNegativeNumber = 1.0
    snapshots: Annotated[tuple[NaturalNumber, ...], Size(unique=True)] = ()
    device: Literal["auto", "cpu"] = "auto"
